-- Prolong a lease that is still held. ARGV: the four common arguments, batch, lease (ms). Returns
-- 1, or 0 when the lease was lost.

local BATCH, LEASE_MS = ARGV[5], ARGV[6]

look_at_clock(call('HGET', MEMORY, 'latest'))
if not call('ZSCORE', LEASES, BATCH) then return 0 end
call('ZADD', LEASES, 'XX', NOW_MS + LEASE_MS, BATCH)
return 1
