-- Which jobs about a bet may still be applied. ARGV: the common four, flight key.
-- Returns the time now (ms), since when Redis remembers (ms), and a list: id and deadline (ms) of
-- each job. A list in a list, because `unpack` takes no more than 8,000: a bet may be repeated more
-- often than that while no worker runs.

local KEY = ARGV[5]

local since = tonumber(call('HGET', MEMORY, 'since') or nil) or NOW_MS
return {NOW_MS, since, call('ZRANGE', KEY, 0, -1, 'WITHSCORES')}
