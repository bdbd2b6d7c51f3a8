-- Note which Redis this is. One that is new, restarted or failed over may have forgotten nonces:
-- it remembers since now, and requests stamped earlier are not admitted (PROTOCOL.md).
--
-- ARGV: the common four, run id of the server. Returns since when it remembers, in ms.

local RUN_ID = ARGV[5]
if call('HGET', MEMORY, 'run_id') ~= RUN_ID or call('HEXISTS', MEMORY, 'since') == 0 then
  call('HSET', MEMORY, 'run_id', RUN_ID, 'since', NOW_MS)
end
return tonumber(call('HGET', MEMORY, 'since'))
