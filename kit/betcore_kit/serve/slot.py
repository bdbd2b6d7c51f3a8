"""A slot with three reels: what they show, and how many stakes that pays."""

import random

GAME = "slot"
NAME = "Three of a kind"
#: What is on a reel, and on how many of its 16 places.
REEL = {"heart": 6, "clover": 5, "diamond": 3, "star": 1, "seven": 1}
#: How many stakes three of a kind pay. Two hearts give the stake back.
PAYS = {"heart": 4, "clover": 6, "diamond": 25, "star": 100, "seven": 250}
MOST = max(PAYS.values())

Reels = tuple[str, ...]


def turn(rng: random.Random) -> Reels:
    """Return what the three reels show after a spin."""
    return tuple(rng.choices(list(REEL), list(REEL.values()), k=3))


def pays(reels: Reels) -> int:
    """Return how many stakes the reels pay."""
    if len(set(reels)) == 1:
        return PAYS[reels[0]]
    return int(reels.count("heart") == 2)
