-- Take at most N jobs into one batch under one lease. RQ sees them as started.
--
-- ARGV: the four common arguments, then:
-- - worker name, worker key, batch, N, lease (ms), started-registry ttl (s),
-- - first (an id that BLMOVE put on the intermediate list, or ''), time now (s),
-- - ttl (s), exc_info and exc_string of an expired job.
--
-- Returns `false` when RQ is suspended. Otherwise it returns one row per job: id, data, ms until
-- its deadline, flight key (or ''). Then follows one row for each of the first jobs that expired:
-- id, data, '' and how many expired in all.

local WORKER, WORKER_KEY, BATCH, N = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local LEASE_MS, STARTED_TTL, FIRST, STARTED_AT = ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local EXPIRED_TTL, EXPIRED_INFO, EXPIRED_STRING = ARGV[13], ARGV[14], ARGV[15]

-- After an outage thousands of expired jobs may wait. One script must not block Redis for all of
-- them.
local EXPIRED_MAX = 500
local FLIGHT_MAX = 1024  -- bytes

-- Anyone may have written the hash. Longer data is no job of ours, and a worker must not read it.
local DATA_MAX = 16384  -- bytes

local EXPIRED_SHOWN = 5  -- rows for the worker's log

local rows, ids, scores, late = {}, {}, {}, {}
local expired = 0

local function read(id)
  local status, data, deadline, batch, flight =
    fields_of(id, 'status', 'data', 'deadline', 'batch', 'flight')
  -- A longer value than any of ours was planted, and must not fill the answer.
  if flight and #flight > FLIGHT_MAX then flight = '' end
  return {status = status, data = data, deadline = tonumber(deadline or nil), batch = batch,
    flight = flight}
end

local function readable(data) return #data <= DATA_MAX and data or '' end

local function start(id, job, deadline)
  -- The first job takes the lease, so that a second copy of the job finds it in hand.
  if #ids == 0 then call('ZADD', LEASES, NOW_MS + LEASE_MS, BATCH) end
  forget_failure(id, job.status)
  call('HSET', job_key(id), 'status', 'started', 'started_at', ISO, 'last_heartbeat', ISO,
    'worker_name', WORKER, 'batch', BATCH)
  ids[#ids + 1] = id
  scores[#scores + 1] = NOW_S + STARTED_TTL
  scores[#scores + 1] = id .. ':' .. BATCH
  rows[#rows + 1] = {id, readable(job.data), deadline - NOW_MS, job.flight or ''}
end

-- Take the given members of a lane: its head, which was read already, and the jobs behind it.
local function take_lane(lane, members, head)
  local before = #rows
  for place, id in ipairs(members) do
    local job = place == 1 and head or read(id)
    if is_held(job.batch) then break end
    if not (is_open(job.status, job.data) and is_readable(id)) then
      call('LREM', lane, 1, id)
      call('ZREM', DEFERRED, id)
    elseif (job.deadline or 0) <= NOW_MS then
      call('LREM', lane, 1, id)
      call('ZREM', DEFERRED, id)
      expired = expired + 1
      if #late < EXPIRED_SHOWN then late[#late + 1] = {id, readable(job.data), ''} end
      if not job.batch then land(id, job.flight) end
      fail(id, WORKER, BATCH, STARTED_AT, STARTED_AT, EXPIRED_TTL, EXPIRED_INFO, EXPIRED_STRING)
    else
      start(id, job, job.deadline)
    end
  end
  if #rows == before then queue_head(lane) end
end

local function take(id)
  if not is_readable(id) then return end
  local job = read(id)
  local lane = lane_of(id)
  if not lane then  -- not a job of ours: it fails
    if job.status == 'queued' and job.data then start(id, job, NOW_MS) end
    return
  end
  if is_held(job.batch) then return end  -- a second copy
  local members = call('LRANGE', lane, 0, N - #rows - 1)  -- as far as the batch has room
  if members[1] ~= id then
    if not call('LPOS', lane, id) then  -- in no lane, as after a requeue
      -- It is a second copy, gone, or applied already, whatever a foreign worker wrote about it.
      if job.status ~= 'queued' or not job.data or job.batch == DONE then return end
      call('RPUSH', lane, id)
      call('SADD', LANES, lane)
    end
    if members[1] then
      if is_open(job.status, job.data) then defer(id) end
      return
    end
    members[1] = id
  end
  take_lane(lane, members, job)
end

look_at_clock(call('HGET', MEMORY, 'latest'))
if call('EXISTS', RQ .. ':suspended') == 1 then
  if FIRST ~= '' and call('LREM', INTERMEDIATE, 1, FIRST) > 0 then call('LPUSH', QUEUED, FIRST) end
  return false
end
if FIRST ~= '' and call('LREM', INTERMEDIATE, 1, FIRST) > 0 then take(FIRST) end
for _, list in ipairs({RETURNED, QUEUED}) do
  while #rows < N and expired < EXPIRED_MAX do
    local id = call('LPOP', list)
    if not id then break end
    take(id)
  end
end

if #rows > 0 then
  call('ZADD', STARTED, unpack(scores))
  call('ZREM', DEFERRED, unpack(ids))
  call('SET', batch_key(BATCH), table.concat(ids, ' '))
  -- RQ shows what a worker does by its executions. The first job represents the batch there.
  local shown = execution_key(ids[1], BATCH)
  call('HSET', shown, 'id', BATCH, 'job_id', ids[1], 'created_at', STARTED_AT,
    'last_heartbeat', STARTED_AT, 'worker_name', WORKER)
  call('EXPIRE', shown, STARTED_TTL)
  call('SADD', WORKER_KEY .. ':executions', ids[1] .. ':' .. BATCH)
  call('EXPIRE', WORKER_KEY .. ':executions', STARTED_TTL)  -- a worker may die before its heartbeat
  call('HSET', WORKER_KEY, 'state', 'busy')
  call('EXPIRE', WORKER_KEY, WORKER_TTL)
end
for _, row in ipairs(late) do
  row[4] = tostring(expired)
  rows[#rows + 1] = row
end
return rows
