"""The mistakes that can be told, each by a stable word and a sentence."""

#: The words are stable. A sandbox uses the same words in the `explain` of its 401.
SENTENCES = {
    "missing_header": "One of the four headers is missing, or is there twice.",
    "unknown_provider": "X-Counterparty-Id is not the id that the secret belongs to.",
    "timestamp_form": "X-Timestamp must be 1 to 16 digits: Unix milliseconds.",
    "timestamp_seconds": "X-Timestamp is in seconds, but it must be in milliseconds.",
    "timestamp_microseconds": "X-Timestamp is in microseconds, but it must be in milliseconds.",
    "timestamp_expired": "X-Timestamp is more than 30 s old: sign again, and check your clock.",
    "timestamp_future": "X-Timestamp is more than 30 s in the future: check your clock.",
    "nonce_form": "X-Request-Id must be 32 hexadecimal digits, without dashes.",
    "nonce_used": "X-Request-Id was used before, with another signature: use a new one.",
    "upper_case": "X-Sign has upper-case hex digits, but it must be in lower case.",
    "base64_signature": "X-Sign is in base64, but it must be in lower-case hex.",
    "decoded_secret": "The secret was decoded, but its characters as given are the key.",
    "other_secret": "The request was signed with another secret.",
    "body_reserialised": "Other JSON was signed than was sent: sign the exact bytes of the body.",
    "body_left_out": "The body was left out of the signed message.",
    "missing_dot": "The parts of the signed message were not all joined by a dot.",
    "extra_dot": "The request has no body, but the signed message begins with its dot.",
    "wrong_order": "The parts were signed in the wrong order: body, id, timestamp, nonce.",
    "trailing_newline": "A line end was signed that was not sent, or was sent and not signed.",
    "unknown": (
        "No known mistake explains the signature. Compare the message below with what you signed,"
        " and ask whether a proxy has changed X-Request-Id or the body on the way."
    ),
}
