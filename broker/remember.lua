-- Note which Redis this is. One that is new, restarted or failed over may have forgotten nonces,
-- and so may one that evicted keys: it remembers since now, and requests stamped earlier are not
-- admitted (PROTOCOL.md).
--
-- ARGV: the common four, run id of the server, how many keys it has evicted. Returns when this
-- memory began, empty, in ms: it is another one where everything was lost, and the same after a
-- restart that kept the data.

local RUN_ID, EVICTED = ARGV[5], ARGV[6] or '0'
local run_id, evicted, since, born, latest =
  unpack(call('HMGET', MEMORY, 'run_id', 'evicted', 'since', 'born', 'latest'))
if run_id ~= RUN_ID or (evicted or '0') ~= EVICTED or not since then
  call('HSET', MEMORY, 'run_id', RUN_ID, 'evicted', EVICTED, 'since', NOW_MS)
end
note_time(latest)
if not born then call('HSET', MEMORY, 'born', NOW_MS) end
return tonumber(born) or NOW_MS
