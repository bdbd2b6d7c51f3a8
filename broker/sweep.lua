-- Make every lane move again: return batches whose lease ran out, queue heads that nobody holds.
--
-- Each worker runs it twice a second, under no lock: it is one atomic step, and does nothing
-- where nothing is wrong. ARGV: the common four. Returns how many heads it queued.

local SWEPT_MAX = 10000  -- jobs on the queue

local queued = 0

-- A lost lease returns its whole batch at once: all wait again, then each lane queues its head.
for _, batch in ipairs(call('ZRANGEBYSCORE', LEASES, '-inf', NOW_MS)) do
  local lanes = {}
  for id in string.gmatch(call('GET', batch_key(batch)) or '', '%S+') do
    call('ZREM', STARTED, id .. ':' .. batch)
    local shown_by = call('HGET', execution_key(id, batch), 'worker_name')
    if shown_by then
      call('SREM', RQ .. ':worker:' .. shown_by .. ':executions', id .. ':' .. batch)
    end
    call('DEL', execution_key(id, batch))
    if call('HGET', job_key(id), 'status') == 'started' then
      local lane = lane_of(id)
      if lane then
        defer(id)
        lanes[lane] = true
      else
        enqueue(id)
      end
    end
  end
  for lane in pairs(lanes) do
    queue_head(lane)
    queued = queued + 1
  end
  call('ZREM', LEASES, batch)
  call('DEL', batch_key(batch))
end

-- A worker that died between BLMOVE and `take` left its id here; one that has not died finds the
-- id queued again, and the second copy is dropped when it is taken.
for _, id in ipairs(call('LRANGE', INTERMEDIATE, 0, -1)) do
  call('LREM', INTERMEDIATE, 1, id)
  if call('HGET', job_key(id), 'status') == 'queued' then call('LPUSH', QUEUED, id) end
end

call('ZREMRANGEBYSCORE', FINISHED, 0, NOW_S)
call('ZREMRANGEBYSCORE', FAILED, 0, NOW_S)

-- After an outage hundreds of thousands may wait. They are worked off first: to look through them
-- all, 2 us each, twice a second for each worker, would leave Redis no time for anything else.
if call('LLEN', QUEUED) > SWEPT_MAX then return queued end

local held = {}
for _, id in ipairs(call('LRANGE', QUEUED, 0, -1)) do held[id] = true end
for _, batch in ipairs(call('ZRANGE', LEASES, 0, -1)) do
  for id in string.gmatch(call('GET', batch_key(batch)) or '', '%S+') do held[id] = true end
end
for _, lane in ipairs(call('SMEMBERS', LANES)) do
  local head = call('LINDEX', lane, 0)
  if not head or not held[head] then
    queue_head(lane, true)
    queued = queued + 1
  end
end
return queued
