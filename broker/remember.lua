-- Note which Redis this is. One that is new, restarted or failed over may have forgotten nonces:
-- it remembers since now, and requests stamped earlier are not admitted (PROTOCOL.md).
--
-- ARGV: the common four, run id of the server. Returns when this memory began, empty, in ms: it is
-- another one where everything was lost, and the same after a restart that kept the data.

local RUN_ID = ARGV[5]
if call('HGET', MEMORY, 'run_id') ~= RUN_ID or call('HEXISTS', MEMORY, 'since') == 0 then
  call('HSET', MEMORY, 'run_id', RUN_ID, 'since', NOW_MS)
end
if call('HEXISTS', MEMORY, 'born') == 0 then call('HSET', MEMORY, 'born', NOW_MS) end
return tonumber(call('HGET', MEMORY, 'born'))
