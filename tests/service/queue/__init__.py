"""The queue in Redis: admission, groups, a gateway's link to it, and how RQ sees it."""
