-- Take a batch of jobs under one lease.
--
-- ARGV: the four common arguments, the three of a job, then:
-- - worker name, worker key, batch, room (commands), lease (ms), started-registry ttl (s),
-- - first: an id that BLMOVE put on the intermediate list, or '',
-- - '1' if RQ must be told that the worker is busy.
--
-- Returns what `take_batch` returns.

local worker, worker_key, id, room, lease_ms, started_ttl, first, shows = unpack(ARGV, 8, 15)
return take_batch({worker = worker, worker_key = worker_key, id = id, room = tonumber(room),
  lease_ms = lease_ms, started_ttl = started_ttl, first = first, shows = shows == '1'})
