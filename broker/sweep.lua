-- Make every lane move again: return batches whose lease ran out, and queue heads that nobody
-- holds.
--
-- Each worker runs it twice per second, without a lock. It is one atomic step, and does nothing
-- when nothing is wrong. ARGV: the four common arguments. Returns how many heads it queued.
--
-- What it returns goes on a list of ours, where no worker of stock RQ can take it again.

local SWEPT_MAX = 10000  -- jobs on the queue

look_at_clock(call('HGET', MEMORY, 'latest'))
local queued = 0

-- A lost lease returns its whole batch at once. All its jobs wait again, then each lane queues its
-- head.
for _, batch in ipairs(call('ZRANGEBYSCORE', LEASES, '-inf', NOW_MS)) do
  local lanes = {}
  call('ZREM', LEASES, batch)
  for id in string.gmatch(call('GET', batch_key(batch)) or '', '%S+') do
    call('ZREM', STARTED, id .. ':' .. batch)
    local shown_by = call('HGET', execution_key(id, batch), 'worker_name')
    if shown_by then
      call('SREM', RQ .. ':worker:' .. shown_by .. ':executions', id .. ':' .. batch)
    end
    call('DEL', execution_key(id, batch))
    local status, data, last = fields_of(id, 'status', 'data', 'batch')
    local lane = lane_of(id)
    if last == batch and lane then
      if is_open(status, data) then defer(id) end
      lanes[lane] = true
    elseif status == 'started' then
      enqueue(id)
    end
  end
  for lane in pairs(lanes) do
    queue_head(lane, RETURNED)
    queued = queued + 1
  end
  call('DEL', batch_key(batch))
end

-- These ids were taken from RQ's queue, and got no further. Their taker is a worker of ours that
-- died between BLMOVE and `take`, or a worker of stock RQ at any moment. A worker of ours that
-- still lives finds the id gone from here, and takes it from where it is now.
for _, id in ipairs(call('LRANGE', INTERMEDIATE, 0, -1)) do
  call('LREM', INTERMEDIATE, 1, id)
  local status, batch = fields_of(id, 'status', 'batch')
  local lane = lane_of(id)
  if not is_held(batch) and (status == 'queued' or (lane and call('LPOS', lane, id))) then
    call('RPUSH', RETURNED, id)
  end
end

call('ZREMRANGEBYSCORE', FINISHED, 0, NOW_S)
call('ZREMRANGEBYSCORE', FAILED, 0, NOW_S)

-- Our entries have a score one day ahead. The expired ones belong to stock workers that died.
call('ZREMRANGEBYSCORE', STARTED, 0, NOW_S)

-- After an outage hundreds of thousands of jobs may wait. Workers process them first. A check of
-- all of them takes 2 us per job, twice per second and worker: Redis would have no time for
-- anything else.
if call('LLEN', QUEUED) + call('LLEN', RETURNED) > SWEPT_MAX then return queued end

local held = {}
for _, list in ipairs({QUEUED, RETURNED}) do
  for _, id in ipairs(call('LRANGE', list, 0, -1)) do held[id] = true end
end
for _, batch in ipairs(call('ZRANGE', LEASES, 0, -1)) do
  for id in string.gmatch(call('GET', batch_key(batch)) or '', '%S+') do held[id] = true end
end
for _, lane in ipairs(call('SMEMBERS', LANES)) do
  local head = call('LINDEX', lane, 0)
  if not head or not held[head] then
    queue_head(lane, RETURNED)
    queued = queued + 1
  end
end
return queued
