-- Note which Redis this is. One that is new, restarted or failed over may have forgotten nonces,
-- and so may one that evicted keys. Then it remembers only from now on, and requests stamped
-- earlier are not admitted (PROTOCOL.md).
--
-- ARGV: the four common arguments, run id of the server, how many keys it has evicted. Returns when
-- this memory began, empty, in ms. That changes when everything was lost, and stays the same after
-- a restart that kept the data.

local RUN_ID, EVICTED = ARGV[5], ARGV[6] or '0'
local run_id, evicted, since, born, latest =
  unpack(call('HMGET', MEMORY, 'run_id', 'evicted', 'since', 'born', 'latest'))
if run_id ~= RUN_ID or (evicted or '0') ~= EVICTED or not since then
  call('HSET', MEMORY, 'run_id', RUN_ID, 'evicted', EVICTED, 'since', NOW_MS)
end
note_time(latest)
redis.pcall('SADD', RQ .. ':queues', QUEUED)  -- so RQ lists the queue; a full server refuses it
if not born then call('HSET', MEMORY, 'born', NOW_MS) end
return tonumber(born) or NOW_MS
