-- The clock of Redis may be set back. Every script that writes a time looks at it first.

-- Times that the clock wrote while it was ahead, moved by `by` ms.
local function brought_forward(text, by)
  return (string.gsub(text, '(%d+)%+(%d+)', function(since, budget)
    if tonumber(since) > NOW_MS then return (since - by) .. '+' .. budget end
  end))
end

local function bring_job_forward(id, by)
  local times, since = fields_of(id, 'times', 'queued_ms')
  since = tonumber(since or nil)
  if times then call('HSET', job_key(id), 'times', brought_forward(times, by)) end
  if since and since > NOW_MS then call('HSET', job_key(id), 'queued_ms', since - by) end
end

local function bring_waiting_forward(account, by)
  for place = 0, (answer('LLEN', waiting_key(account)) or 0) - 1 do
    local text = call('LINDEX', waiting_key(account), place)
    local times, rest = string.match(text, '^(%d+%+%d+)(.*)$')
    if times then call('LSET', waiting_key(account), place, brought_forward(times, by) .. rest) end
  end
end

-- Move all times in IN_FLIGHT, and those of the groups and the waiting commands that it names.
-- Returns the set of these groups.
local function bring_in_flight_forward(by)
  local held, seen = answer('HGETALL', IN_FLIGHT) or {}, {}
  for i = 1, #held, 2 do
    local field, value = held[i], held[i + 1]
    if string.find(field, ':', 1, true) then
      call('HSET', IN_FLIGHT, field, brought_forward(value, by))
    else
      local group = string.match(value, '[^+]*')
      if not seen[group] then bring_job_forward(group, by) end
      seen[group] = true
      bring_waiting_forward(field, by)
    end
  end
  return seen
end

-- Whether the clock that was ahead has set the end of a batch's lease.
local LEASE_MAX_MS = 60000  -- no lease is meant to last longer
local function was_leased_ahead(ends, group)
  if tonumber(ends) > NOW_MS + LEASE_MAX_MS then return true end
  return group and (tonumber((fields_of(group, 'queued_ms')) or nil) or 0) > NOW_MS
end

-- After the clock was set back, move by `by` ms every end and every start of a wait that the clock
-- set while it was ahead. Otherwise the lease of a dead worker would hold its players for as long
-- as the clock was set back, and commands could be applied for as long. What was set before the
-- clock went ahead is right, and stays.
local ALL = 1000000
local function bring_forward(by)
  local group_of = {}
  for _, entry in ipairs(answer('ZRANGE', STARTED, 0, -1) or {}) do
    local id, batch = string.match(entry, '^(.*):(.*)$')
    if batch then group_of[batch] = id end
  end
  local leases = answer('ZRANGE', LEASES, 0, -1, 'WITHSCORES') or {}
  for i = 1, #leases, 2 do
    if was_leased_ahead(leases[i + 1], group_of[leases[i]]) then
      call('ZADD', LEASES, 'XX', 'INCR', -by, leases[i])
    end
  end
  local moved = bring_in_flight_forward(by)
  for _, id in ipairs(answer('ZRANGE', FAILED, 0, -1) or {}) do
    if not moved[id] then bring_job_forward(id, by) end
  end
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
