-- Finish a batch, if its lease is still held: replies, RQ's results and registries, next in lane.
--
-- ARGV: the four common arguments, then:
-- - worker name, worker key, batch, and the id that represents the batch in RQ,
-- - started at (s), time now (s), working time (s),
-- - reply stream length, reply stream ttl (s), number of replies,
-- - 2 per reply: stream, payload,
-- - 5 per job: id, its flight key (or ''), '1', its result in base64, how long it is kept (s).
--
-- A failed job has exc_info and exc_string of its failure instead of '1' and its result.
--
-- Returns 1, or 0 when the lease was lost. Then the script touches no job: another worker has them.

local WORKER, WORKER_KEY, BATCH, SHOWN, STARTED_AT, ENDED_AT = unpack(ARGV, 5, 10)
local WORKING_TIME, STREAM_LENGTH, STREAM_TTL = unpack(ARGV, 11, 13)
local REPLIES = tonumber(ARGV[14])

call('SREM', WORKER_KEY .. ':executions', SHOWN .. ':' .. BATCH)
if not call('ZSCORE', LEASES, BATCH) then return 0 end

local position = 15
for _ = 1, REPLIES do
  local stream = ARGV[position]
  -- If a key of another type was planted here, the batch must still finish.
  redis.pcall('XADD', stream, 'MAXLEN', '~', STREAM_LENGTH, '*', 'd', ARGV[position + 1])
  redis.pcall('EXPIRE', stream, STREAM_TTL)
  position = position + 2
end

local finished, started, touched, lanes = {}, {}, {}, {}
local succeeded, failed = 0, 0
for i = position, #ARGV, 5 do
  local id, flight, info, value, ttl = unpack(ARGV, i, i + 4)
  started[#started + 1] = id .. ':' .. BATCH
  if info == '1' then
    local results = RQ .. ':results:' .. id
    succeeded = succeeded + 1
    land(id, flight)
    call('HSET', job_key(id), 'status', 'finished', 'ended_at', ISO, 'last_heartbeat', ISO,
      'batch', DONE)
    call('EXPIRE', job_key(id), ttl)
    call('XADD', results, 'MAXLEN', '~', 10, '*', 'type', '1', 'worker_name', WORKER,
      'return_value', value, 'execution_id', BATCH, 'execution_started_at', STARTED_AT,
      'execution_ended_at', ENDED_AT)
    call('EXPIRE', results, ttl)
    finished[#finished + 1] = NOW_S + ttl
    finished[#finished + 1] = id
  else
    failed = failed + 1
    fail(id, WORKER, BATCH, STARTED_AT, ENDED_AT, ttl, info, value)
  end
  local lane = lane_of(id)
  if lane then
    call('LREM', lane, 1, id)
    if not touched[lane] then
      touched[lane] = true
      lanes[#lanes + 1] = lane
    end
  end
end

-- One SREM for all of them. If the script failed before it, the sweep would find the empty lanes.
local emptied = {}
for _, lane in ipairs(lanes) do
  if not queue_head_if_any(lane) then emptied[#emptied + 1] = lane end
end
if #emptied > 0 then call('SREM', LANES, unpack(emptied)) end

if #finished > 0 then call('ZADD', FINISHED, unpack(finished)) end
call('ZREM', STARTED, unpack(started))
-- The lease ends last. If a script fails half-way (a key of another type), the lease runs out.
call('ZREM', LEASES, BATCH)
call('DEL', batch_key(BATCH), execution_key(SHOWN, BATCH))
call('HINCRBY', WORKER_KEY, 'successful_job_count', succeeded)
if failed > 0 then call('HINCRBY', WORKER_KEY, 'failed_job_count', failed) end
call('HINCRBYFLOAT', WORKER_KEY, 'total_working_time', WORKING_TIME)
call('EXPIRE', WORKER_KEY, WORKER_TTL)
call('ZREMRANGEBYSCORE', FINISHED, 0, NOW_S)
return 1
