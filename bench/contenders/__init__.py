"""The contenders: every way of doing the same that somebody could prefer to ours.

Nothing is imported here: a worker of stock RQ that forks for each job would import it each time.
"""
