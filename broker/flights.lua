-- Which jobs about a bet may still be applied. ARGV: the four common arguments, flight key.
--
-- Returns the time now (ms), since when Redis remembers (ms), and a list of the jobs: id and
-- deadline (ms) of each. The jobs are a nested list, because `unpack` takes at most 8,000 values. A
-- bet may be repeated more often than that while no worker runs.

local KEY = ARGV[5]

local since = tonumber(call('HGET', MEMORY, 'since') or nil) or NOW_MS
return {NOW_MS, since, call('ZRANGE', KEY, 0, -1, 'WITHSCORES')}
