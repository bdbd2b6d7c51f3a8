-- Take a batch of jobs under one lease.
--
-- ARGV: the four common arguments, the three of a job, then: worker name, worker key, batch, room
-- (commands), lease (ms), started-registry ttl (s), time now (s), first (an id that BLMOVE put on
-- the intermediate list, or ''). Returns what `take_batch` returns.

look_at_clock(call('HGET', MEMORY, 'latest'))
local worker, worker_key, id, room, lease_ms, started_ttl, started_at, first = unpack(ARGV, 8, 15)
return take_batch({worker = worker, worker_key = worker_key, id = id, room = tonumber(room),
  lease_ms = lease_ms, started_ttl = started_ttl, started_at = started_at, first = first})
