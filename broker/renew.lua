-- Prolong a lease that is still held, and let RQ show what the worker does.
--
-- ARGV: the four common arguments, batch, lease (ms), worker name, worker key, the job that
-- represents the batch in RQ, when the batch was started (s). Returns 1, or 0 when the lease was
-- lost.
--
-- RQ shows it by executions. A batch that ends before its first renewal is never shown: it takes
-- milliseconds, and nobody could look at it.

local BATCH, LEASE_MS, WORKER, WORKER_KEY, SHOWN, STARTED_AT = unpack(ARGV, 5, 10)

look_at_clock(call('HGET', MEMORY, 'latest'))
if not call('ZSCORE', LEASES, BATCH) then return 0 end
local execution, executions = execution_key(SHOWN, BATCH), WORKER_KEY .. ':executions'
call('EXPIRE', execution, WORKER_TTL)  -- a full Redis lets a script go on that has written
call('ZADD', LEASES, 'XX', NOW_MS + LEASE_MS, BATCH)
call('HSET', execution, 'id', BATCH, 'job_id', SHOWN, 'created_at', STARTED_AT,
  'last_heartbeat', STARTED_AT, 'worker_name', WORKER)
call('EXPIRE', execution, WORKER_TTL)
call('SADD', executions, SHOWN .. ':' .. BATCH)
call('HSET', WORKER_KEY, 'state', 'busy')
for _, key in ipairs({executions, WORKER_KEY}) do
  call('EXPIRE', key, WORKER_TTL)  -- a worker may die before its heartbeat
end
return 1
