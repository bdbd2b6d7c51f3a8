-- Make every lane move again: return batches whose lease ran out, queue heads that nobody holds.
--
-- Each worker runs it about once a second, under no lock: it is one atomic step, and does nothing
-- where nothing is wrong. ARGV: the common four. Returns how many heads it queued.

-- A lost lease returns its whole batch at once: the heads are queued below, the rest wait again.
for _, batch in ipairs(call('ZRANGEBYSCORE', LEASES, '-inf', NOW_MS)) do
  for id in string.gmatch(call('GET', batch_key(batch)) or '', '%S+') do
    call('ZREM', STARTED, id .. ':' .. batch)
    call('DEL', execution_key(id, batch))
    if call('HGET', job_key(id), 'status') == 'started' then
      if lane_of(id) then defer(id) else enqueue(id) end
    end
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

local held = {}
for _, id in ipairs(call('LRANGE', QUEUED, 0, -1)) do held[id] = true end
for _, batch in ipairs(call('ZRANGE', LEASES, 0, -1)) do
  for id in string.gmatch(call('GET', batch_key(batch)) or '', '%S+') do held[id] = true end
end
local queued = 0
for _, lane in ipairs(call('SMEMBERS', LANES)) do
  local head = call('LINDEX', lane, 0)
  if not head or not held[head] then
    queue_head(lane, true)
    queued = queued + 1
  end
end

call('ZREMRANGEBYSCORE', FINISHED, 0, NOW_S)
call('ZREMRANGEBYSCORE', FAILED, 0, NOW_S)
return queued
