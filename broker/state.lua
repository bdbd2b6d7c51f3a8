-- The state of the queue. ARGV: the four common arguments.
--
-- Returns numbers:
-- - ms until a suspension ends (-1: never, -2: there is none),
-- - jobs queued, deferred, started, finished, failed,
-- - how many ms the oldest job has waited (-1: none waits).

-- When the wait of a job began. `queued_ms` is the last time when it was put on the queue. The wait
-- of a job that a foreign worker had taken began earlier.
local function since(id)
  return id and tonumber(call('HGET', job_key(id), 'queued_ms') or nil)
end

local deferred = call('ZRANGE', DEFERRED, 0, 0, 'WITHSCORES')
local oldest = -1
for _, began in pairs({
  since(call('LINDEX', RETURNED, 0)), since(call('LINDEX', QUEUED, 0)),
  deferred[2] and tonumber(deferred[2]) * 1000,
}) do
  if began then oldest = math.max(oldest, NOW_MS - began) end
end
return {
  call('PTTL', RQ .. ':suspended'), call('LLEN', QUEUED) + call('LLEN', RETURNED),
  call('ZCARD', DEFERRED), call('ZCARD', STARTED), call('ZCOUNT', FINISHED, NOW_S, '+inf'),
  call('ZCOUNT', FAILED, NOW_S, '+inf'), oldest,
}
