-- Take a batch of jobs under one lease.
--
-- ARGV: the four common arguments, the three of a job, then:
-- - worker name, worker key, batch, room (commands), lease (ms), started-registry ttl (s),
-- - '1' if RQ must be told that the worker is busy,
-- - the offer that the worker takes back first, or '',
-- - the offer that it leaves if it finds nothing, or ''.
--
-- Returns what `take_batch` returns. It returns `false` also when RQ is suspended and the worker
-- would leave an offer, and 0 when the earlier offer was accepted: then a batch is on its way.

local worker, worker_key, id, room, lease_ms, started_ttl, shows, back, offer = unpack(ARGV, 8, 16)
if back ~= '' and answer('LREM', IDLE, 0, back) == 0 then return 0 end
if offer ~= '' and call('EXISTS', RQ .. ':suspended') == 1 then return false end
local taken = take_batch({worker = worker, worker_key = worker_key, id = id, room = tonumber(room),
  lease_ms = lease_ms, started_ttl = started_ttl, shows = shows == '1', offer = offer})
-- Idle workers come here twice per second. Without them, the offers of the dead are not kept.
if offer ~= '' then call('EXPIRE', IDLE, WORKER_TTL) end
return taken
