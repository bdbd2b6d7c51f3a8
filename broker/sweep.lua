-- Make everything move again: return the jobs of batches whose lease ran out, and groups that
-- nobody has; free the players whom no group holds any more.
--
-- Each worker runs it twice per second, without a lock. It is one atomic step, and does nothing
-- when nothing is wrong. ARGV: the four common arguments, the three of a job. Returns how many jobs
-- and players it helped.
--
-- What it returns goes on a list of ours, where no worker of stock RQ can take it again.

local SWEPT_MAX = 10000  -- jobs on the queue
local PLAYERS_MAX = 1000  -- for whom one group is made; more were planted

look_at_clock(call('HGET', MEMORY, 'latest'))
local helped = 0
if not answer('HLEN', IN_FLIGHT) then forget_in_flight() end  -- a key of another type

local function return_job(id, status)
  forget_failure(id, status)
  enqueue(id, RETURNED)
  helped = helped + 1
end

-- A lost lease returns its whole batch at once.
local lost = {}
for _, batch in ipairs(call('ZRANGEBYSCORE', LEASES, '-inf', NOW_MS)) do
  call('ZREM', LEASES, batch)
  lost[batch] = true
end
for _, entry in ipairs(next(lost) and call('ZRANGE', STARTED, 0, -1) or {}) do
  local id, batch = string.match(entry, '^(.*):(.*)$')
  if lost[batch] then
    call('ZREM', STARTED, entry)
    local execution = execution_key(id, batch)
    local shown_by = answer('HGET', execution, 'worker_name')
    if shown_by then call('SREM', RQ .. ':worker:' .. shown_by .. ':executions', entry) end
    call('DEL', execution)
    local status, data, last = fields_of(id, 'status', 'data', 'batch')
    if last == batch and is_open(status, data, last) then return_job(id, status) end
  end
end

-- These ids were taken from RQ's queue, and got no further. Their taker is a worker of ours that
-- died between BLMOVE and `take`, or a worker of stock RQ at any moment. A worker of ours that
-- still lives finds the id gone from here, and takes it from where it is now.
for _, id in ipairs(call('LRANGE', INTERMEDIATE, 0, -1)) do
  call('LREM', INTERMEDIATE, 1, id)
  local status, data, batch, holds = fields_of(id, 'status', 'data', 'batch', 'holds')
  if not is_held(batch) and batch ~= DONE and (status == 'queued' or holds == '1') then
    call('RPUSH', RETURNED, id)
  end
end

for _, id in ipairs(answer('SMEMBERS', PARKED) or {}) do
  call('SREM', PARKED, id)
  call('RPUSH', RETURNED, id)
end

call('ZREMRANGEBYSCORE', FINISHED, 0, NOW_S)
call('ZREMRANGEBYSCORE', FAILED, 0, NOW_S)

-- Our entries have a score one day ahead. The expired ones belong to stock workers that died.
call('ZREMRANGEBYSCORE', STARTED, 0, NOW_S)

-- After an outage hundreds of thousands of jobs may wait. Workers process them first. A check of
-- all of them takes 2 us per job, twice per second and worker: Redis would have no time for
-- anything else.
if call('LLEN', QUEUED) + call('LLEN', RETURNED) > SWEPT_MAX then return helped end

-- A note of a command that ended long ago: its job is gone, and nobody knows whether it was
-- applied.
local OVERDUE_MS = 60000
local function put_doubts_aside(bet, notes)
  local first, within = string.match(notes, '^(%d+)%+(%d+):')  -- the oldest
  if first and first + within + OVERDUE_MS > NOW_MS then return end
  local doubts = {}
  local left = notes_without(notes, function(_, note)
    local since, budget = string.match(note, '^(%d+)%+(%d+):')
    if since and since + budget + OVERDUE_MS > NOW_MS then return false end
    if since then doubts[#doubts + 1] = note end
    return true
  end)
  if #doubts > 0 then doubt(bet, table.concat(doubts, ' ')) end  -- thousands of them, in one write
  if left == '' then call('HDEL', IN_FLIGHT, bet)
  elseif left ~= notes then call('HSET', IN_FLIGHT, bet, left) end
end

-- Fields of IN_FLIGHT: all of them, or a part if there are thousands. Then the next sweep, of any
-- worker, goes on after that part. All of them would take Redis 5 us each, twice per second and
-- worker, when it has least time.
local PARTS_MAX, PART = 8, 250  -- fields, about
local function part_of_in_flight()
  local found, seen = {}, {}
  local began = call('HGET', MEMORY, 'swept') or '0'
  local cursor = began
  for _ = 1, PARTS_MAX do
    local part
    cursor, part = unpack(call('HSCAN', IN_FLIGHT, cursor, 'COUNT', PART))
    for i = 1, #part, 2 do
      if not seen[part[i]] then found[#found + 1] = {part[i], part[i + 1]} end
      seen[part[i]] = true
    end
    if cursor == '0' then break end
  end
  if cursor ~= began then call('HSET', MEMORY, 'swept', cursor) end
  return found
end

local listed, players, order = {}, {}, {}
for _, list in ipairs({QUEUED, RETURNED}) do
  for _, id in ipairs(call('LRANGE', list, 0, -1)) do listed[id] = true end
end
for _, field in ipairs(part_of_in_flight()) do
  local account, holder = unpack(field)
  if string.find(account, ':', 1, true) then
    put_doubts_aside(account, holder)
  else
    local group = string.match(holder, '^[^+]*')
    if not listed[group] then
      if not players[group] then
        players[group] = {}
        order[#order + 1] = group
      end
      table.insert(players[group], account)
    end
  end
end
for _, group in ipairs(order) do
  local status, data, batch, holds = fields_of(group, 'status', 'data', 'batch', 'holds')
  if not is_held(batch) then
    if is_open(status, data, batch) and holds == '1' and is_readable(group) then
      return_job(group, status)
    else
      -- It was cancelled or deleted, or its end was interrupted. If somebody queues it again, it
      -- has to hold its players again.
      if holds == '1' then call('HSET', job_key(group), 'holds', '') end
      for first = 1, #players[group], PLAYERS_MAX do
        next_group({unpack(players[group], first, first + PLAYERS_MAX - 1)}, RETURNED)
      end
      helped = helped + 1
    end
  end
end
return helped
