-- Common start of every script: keys, the clock, and the lanes.
--
-- A lane is a Redis list of job ids, one lane per account. It is the per-player lock. The job at
-- its head holds the player, and only that job of the lane is on RQ's queue. The jobs behind the
-- head are deferred in RQ. A worker takes the head and its direct successors. `finish` removes them
-- and queues the new head.
--
-- ARGV of every script begins with four common arguments: prefix of RQ's keys, prefix of our keys,
-- queue name, ISO time of now.

local RQ, OURS, QUEUE, ISO = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local QUEUED = RQ .. ':queue:' .. QUEUE
local INTERMEDIATE = QUEUED .. ':intermediate'
local DEFERRED = RQ .. ':deferred:' .. QUEUE
local STARTED = RQ .. ':wip:' .. QUEUE
local FINISHED = RQ .. ':finished:' .. QUEUE
local FAILED = RQ .. ':failed:' .. QUEUE
local RETURNED = OURS .. ':returned:' .. QUEUE  -- ahead of the queue; only `take` reads it
local LANES = OURS .. ':lanes'  -- the lanes that are not empty
local LEASES = OURS .. ':leases'  -- batch -> when its worker loses it, in ms
local MEMORY = OURS .. ':memory'  -- which Redis this is, since when it remembers, its birth (ms)
local WORKER_TTL = 30  -- seconds; as the heartbeat's: a killed worker expires
local FLIGHT_TTL = 24 * 3600  -- seconds; how long a job without a known end is noted
local DONE = 'done'  -- replaces the batch's name in a job that was applied
local call = redis.call

local time = call('TIME')
local NOW_MS = time[1] * 1000 + math.floor(time[2] / 1000)
local NOW_S = tonumber(time[1])

local function job_key(id) return RQ .. ':job:' .. id end
local function batch_key(batch) return OURS .. ':batch:' .. batch end
local function execution_key(id, batch) return RQ .. ':execution:' .. id .. ':' .. batch end

-- Our ids contain their account: `account-token`. A foreign job has no lane. Its id may be one of
-- RQ's: a UUID, whose first part may have only digits.
local function lane_of(id)
  local account = string.match(id, '^(%d+)%-%x+$')
  return account and (OURS .. ':lane:' .. account)
end

-- No worker can read an answer that contains another kind of id. Such an id was planted.
local ID_MAX = 128  -- bytes
local function is_readable(id)
  return #id <= ID_MAX and not string.find(id, '[^\33-\126]')
end

-- Fields of a job's hash. There are none if a key of another type was planted in its place.
local function fields_of(id, ...)
  local found = redis.pcall('HMGET', job_key(id), ...)
  if not found.err then return unpack(found) end
end

local function defer(id)
  call('HSET', job_key(id), 'status', 'deferred')
  call('ZADD', DEFERRED, NOW_S, id)
end

local function enqueue(id, list)
  call('HSET', job_key(id), 'status', 'queued', 'enqueued_at', ISO, 'queued_ms', NOW_MS)
  call('ZREM', DEFERRED, id)
  call('RPUSH', list or QUEUED, id)
end

-- A worker of stock RQ on our queue also writes statuses: `started`, then `failed`. So the status
-- does not decide. A job of a lane is done when one of our scripts has taken it off its lane. It is
-- in hand while the batch that took it holds its lease.
local function is_open(status, data)
  return data and status and status ~= 'canceled' and status ~= 'stopped'
end

local function forget_failure(id, status)
  if status == 'failed' then
    call('ZREM', FAILED, id)
    call('HDEL', job_key(id), 'exc_info')
  end
end

local function is_held(batch)
  return batch and call('ZSCORE', LEASES, batch)
end

-- A job that ended, or never began, can no longer change its bet. Without this call the job stays
-- noted. Whoever asks about the bet must then check that no transaction of the job is left.
local function land(id, flight)
  -- A planted name may belong to a key of another type, which must not end the script.
  if flight and flight ~= '' then redis.pcall('ZREM', flight, id) end
end

-- Queue the head of a lane, on `list` if given and otherwise on RQ's queue. A head that can no
-- longer run is removed first. A head in hand is left to the batch that holds it. Returns whether
-- the lane has a head. If it has none, the caller removes the lane from LANES.
local function queue_head_if_any(lane, list)
  local head = call('LINDEX', lane, 0)
  while head do
    local status, data, batch = fields_of(head, 'status', 'data', 'batch')
    if is_held(batch) then return true end
    if is_open(status, data) and is_readable(head) then
      forget_failure(head, status)
      enqueue(head, list)
      return true
    end
    -- It was cancelled or planted, or its hash is gone (except for a status).
    call('LPOP', lane)
    call('ZREM', DEFERRED, head)
    head = call('LINDEX', lane, 0)
  end
  return false
end

local function queue_head(lane, list)
  if not queue_head_if_any(lane, list) then call('SREM', LANES, lane) end
end

-- What a command answers, or nil: a planted key of another type must not end the script here.
local function answer(...)
  local said = redis.pcall(...)
  if type(said) ~= 'table' or not said.err then return said end
end

-- Move a job's times by `by` ms, if the clock that was ahead has set them.
local function bring_job_forward(id, by)
  local deadline, since, flight = fields_of(id, 'deadline', 'queued_ms', 'flight')
  deadline, since = tonumber(deadline or nil), tonumber(since or nil)
  if not deadline or not since or since <= NOW_MS then return end
  call('HSET', job_key(id), 'deadline', deadline - by, 'queued_ms', since - by)
  answer('ZADD', DEFERRED, 'XX', 'INCR', -math.floor(by / 1000), id)
  if flight and flight ~= '' then answer('ZADD', flight, 'XX', 'INCR', -by, id) end
end

-- Whether the clock that was ahead has set the end of a batch's lease.
local LEASE_MAX_MS = 60000  -- no lease is meant to last longer
local function was_leased_ahead(batch, ends)
  if tonumber(ends) > NOW_MS + LEASE_MAX_MS then return true end
  local first = string.match(answer('GET', batch_key(batch)) or '', '%S+')
  return first and (tonumber((fields_of(first, 'queued_ms')) or nil) or 0) > NOW_MS
end

-- After the clock was set back, move by `by` ms every end and every start of a wait that the clock
-- set while it was ahead. Otherwise the lease of a dead worker would hold its players for as long
-- as the clock was set back, and jobs could be applied for as long. What was set before the clock
-- went ahead is right, and stays. It uses only commands that a gateway's user may run: SRANDMEMBER
-- and LINDEX instead of SMEMBERS and LRANGE.
local ALL = 1000000
local function bring_forward(by)
  local leases = answer('ZRANGE', LEASES, 0, -1, 'WITHSCORES') or {}
  for i = 1, #leases, 2 do
    if was_leased_ahead(leases[i], leases[i + 1]) then
      call('ZADD', LEASES, 'XX', 'INCR', -by, leases[i])
    end
  end
  for _, lane in ipairs(answer('SRANDMEMBER', LANES, ALL) or {}) do
    local length = answer('LLEN', lane)
    if not length then call('SREM', LANES, lane) end
    for place = 0, (length or 0) - 1 do bring_job_forward(call('LINDEX', lane, place), by) end
  end
  for _, id in ipairs(answer('ZRANGE', FAILED, 0, -1) or {}) do bring_job_forward(id, by) end
  -- A living worker reappears with its next heartbeat. RQ's own workers send theirs less often.
  for _, key in ipairs(answer('SRANDMEMBER', RQ .. ':workers:' .. QUEUE, ALL) or {}) do
    if answer('HGET', key, 'betcore') == '1' then call('EXPIRE', key, WORKER_TTL, 'LT') end
  end
end

-- The scripts that write leases and deadlines call this first. `latest` is the latest time seen, in
-- ms, noted once per second. So a time that is moved comes a little late, and never early. While
-- the clock was ahead, nonces expired that are needed now. Redis therefore remembers only from now
-- on. Returns that time, if it has changed.
local CLOCK_MS = 1000
local function look_at_clock(latest)
  latest = tonumber(latest or nil) or 0
  if NOW_MS < latest - CLOCK_MS then
    call('HSET', MEMORY, 'since', NOW_MS, 'latest', NOW_MS)
    bring_forward(latest - NOW_MS)
    return NOW_MS
  end
end

-- Check the clock in the same way, and note the latest time.
local function note_time(latest)
  local since = look_at_clock(latest)
  if since then return since end
  latest = tonumber(latest or nil) or 0
  -- A full server refuses this write. That is safe, because it accepts no nonce either.
  if NOW_MS >= latest + CLOCK_MS then redis.pcall('HSET', MEMORY, 'latest', NOW_MS) end
end

-- Record a failure as RQ does. `exc_info` is the compressed text, `exc_string` the same in base64.
local function fail(id, worker, batch, started, ended, ttl, exc_info, exc_string)
  local results = RQ .. ':results:' .. id
  call('HSET', job_key(id), 'status', 'failed', 'ended_at', ISO, 'last_heartbeat', ISO,
    'exc_info', exc_info)
  call('EXPIRE', job_key(id), ttl)
  call('XADD', results, 'MAXLEN', '~', 10, '*', 'type', '2', 'exc_string', exc_string,
    'worker_name', worker, 'execution_id', batch, 'execution_started_at', started,
    'execution_ended_at', ended)
  call('EXPIRE', results, ttl)
  call('ZADD', FAILED, NOW_S + ttl, id)
end
