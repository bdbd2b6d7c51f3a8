-- How a worker takes groups: for `take`, and for `finish`, which hands out the next batch.

-- Anyone may have written the hash. Longer data is no job of ours, and a worker must not read it.
local DATA_MAX = 1048576  -- bytes
local BATCH_DATA_MAX = 8 * DATA_MAX  -- a worker reads no answer of twice this length
local FIELD_MAX = 8192  -- bytes
local COMMANDS_MAX = 1000  -- so few words can be handed to one command

local function read(id)
  local status, data, batch, accounts, times, holds =
    fields_of(id, 'status', 'data', 'batch', 'accounts', 'times', 'holds')
  if data and #data > DATA_MAX then data = '' end
  local job = {status = status, data = data, batch = batch, holds = holds}
  if accounts and times and #accounts <= FIELD_MAX and #times <= FIELD_MAX then
    local players = words(accounts)
    if #players > 0 and #players <= COMMANDS_MAX then
      job.players, job.accounts, job.times = players, accounts, times
    end
  end
  return job
end

-- Let a job hold its players, if nobody else does.
local function hold_players(id, players)
  local fields, held = {}, in_flight_of(players)
  for place, player in ipairs(players) do
    local holder = held[place]
    if not holder then
      fields[#fields + 1] = player
      fields[#fields + 1] = id
    elseif holder ~= id and holder ~= id .. '+' then
      return false
    end
  end
  if #fields > 0 then call('HSET', IN_FLIGHT, unpack(fields)) end
  call('HSET', job_key(id), 'holds', '1')
  return true
end

-- The times of a job that was requeued. While it waited, it held no player, so `bring_forward` did
-- not find it.
local function times_of_requeued(id)
  local ahead = (tonumber((fields_of(id, 'queued_ms')) or nil) or 0) - NOW_MS
  if ahead > 0 then bring_job_forward(id, ahead) end
  return fields_of(id, 'times') or ''
end

-- A job holds its players no longer, although it may run later, if somebody queues it again.
local function let_go(id, players, list)
  local groups = {}
  for place in ipairs(players) do groups[place] = id end
  call('HSET', job_key(id), 'holds', '')
  free_players(players, groups, in_flight_of(players), list)
end

-- Take jobs into a batch until it has room for no more commands. RQ sees them as started.
-- `batch` has: worker, worker_key, id, room, lease_ms, started_ttl, shows (whether RQ must be told
-- that the worker is busy), offer (what the worker leaves if it finds nothing, or '').
--
-- Returns `false` when RQ is suspended and a job waits. Otherwise it returns the time now (ms) and
-- one row per job: id, data, accounts and times of its commands ('': not a job of ours), '1' if it
-- was taken before.
local function take_batch(batch)
  local rows, scores, size, bytes = {}, {}, 0, 0

  local function has_room() return size < batch.room and bytes < BATCH_DATA_MAX end

  local function start(id, job)
    -- The first job takes the lease, so that a second copy of the job finds it in hand.
    if #rows == 0 then call('ZADD', LEASES, NOW_MS + batch.lease_ms, batch.id) end
    forget_failure(id, job.status)
    call('HSET', job_key(id), 'status', 'started', 'started_at', ISO, 'last_heartbeat', ISO,
      'worker_name', batch.worker, 'batch', batch.id)
    scores[#scores + 1] = NOW_S + batch.started_ttl
    scores[#scores + 1] = id .. ':' .. batch.id
    bytes = bytes + #job.data
    rows[#rows + 1] = {id, job.data, job.accounts or '', job.times or '', job.batch and '1' or ''}
  end

  -- Returns whether the batch has room for more.
  local function take(id, list)
    if not is_readable(id) then return true end
    local job = read(id)
    if not job.players then  -- not a job of ours: it fails
      if job.status == 'queued' and job.data then
        start(id, job)
        size = size + 1
      end
      return has_room()
    end
    if is_held(job.batch) then return true end  -- a second copy
    if not is_open(job.status, job.data, job.batch) then
      -- It was cancelled, or its hash is gone but for some fields, or it was applied.
      if job.holds == '1' then let_go(id, job.players, list) end
      return true
    end
    if #rows > 0 and size + #job.players > batch.room then
      call('LPUSH', list, id)
      return false
    end
    if job.holds ~= '1' then
      job.times = times_of_requeued(id)
      -- One that is too late holds nobody. The worker ends it.
      if is_in_time(job.times) and not hold_players(id, job.players) then
        write('SADD', PARKED, id)
        return true
      end
    end
    start(id, job)
    size = size + #job.players
    return has_room()
  end

  -- Put an id back where it was.
  local function put_back_if_suspended(id, list)
    if call('EXISTS', RQ .. ':suspended') == 0 then return false end
    call('LPUSH', list, id)
    return true
  end

  -- Those that go ahead come first, then RQ's queue.
  local seen, more = false, true
  while more do
    local popped = call('LMPOP', 2, RETURNED, QUEUED, 'LEFT')
    if not popped then break end
    local id, list = popped[2][1], popped[1]
    if not seen then
      if put_back_if_suspended(id, list) then return false end
      look_at_clock(call('HGET', MEMORY, 'latest'))
      seen = true
    end
    more = take(id, list)
  end
  if #rows > 0 then call('ZADD', STARTED, unpack(scores)) end
  if #rows > 0 and batch.shows then
    call('HSET', batch.worker_key, 'state', 'busy')
    call('EXPIRE', batch.worker_key, WORKER_TTL)
  end
  if #rows == 0 and batch.offer ~= '' then write('RPUSH', IDLE, batch.offer) end
  return {NOW_MS, rows}
end
