"""The queue in Redis: admission, lanes, a gateway's link to it, and how RQ sees it."""
