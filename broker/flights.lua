-- Which jobs about a bet may still be applied. ARGV: the common four, flight key.
-- Returns the time now (ms), since when Redis remembers (ms), then job id and deadline (ms) of each.

local KEY = ARGV[5]

local since = tonumber(call('HGET', MEMORY, 'since') or nil) or NOW_MS
return {NOW_MS, since, unpack(call('ZRANGE', KEY, 0, -1, 'WITHSCORES'))}
