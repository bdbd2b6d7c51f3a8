"""What the rooms of the portal share, and the reading of JSON, which the wallet needs too."""
