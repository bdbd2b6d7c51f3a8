-- How a group is handed to an idle worker, which then need not take it. For `admit`.
--
-- An idle worker leaves an offer: its channel, the batch that it will run, the lease of that batch
-- (ms), how long RQ's registry shows the batch (s), and its name. It listens on the channel, and
-- nobody else does. So an offer of a worker that is gone reaches nobody, and the next one counts.
--
-- The worker applies what it reads. So nothing may end the script after the message, and only this
-- server may send it: a worker that still listens to a former primary has no lease here.

local OFFERS_MAX = 100  -- looked at; more were planted
local OFFER = '^(' .. OURS .. ':handed:%x+) (%x+) (%d+) (%d+) (.+)$'

-- How many workers read the message: 1, or 0. Redis would also send it to its replicas.
local function tell(channel, message)
  redis.set_repl(redis.REPL_NONE)
  local told = answer('PUBLISH', channel, message)
  redis.set_repl(redis.REPL_ALL)
  return told or 0
end

-- Give the group to the worker that became idle last. Returns whether there was one.
local function hand_over(group)
  for _ = 1, OFFERS_MAX do
    local offer = answer('RPOP', IDLE)
    if not offer then return false end
    local channel, batch, lease_ms, started_ttl, worker = string.match(offer, OFFER)
    local message = table.concat({batch or '', group.id, group.accounts, group.times, group.data},
      '\n')
    if channel and tell(channel, message) > 0 then
      write('ZADD', LEASES, NOW_MS + lease_ms, batch)
      write_group(group, 'started', 'started_at', ISO, 'last_heartbeat', ISO,
        'worker_name', worker, 'batch', batch)
      write('ZADD', STARTED, NOW_S + started_ttl, group.id .. ':' .. batch)
      return true
    end
  end
  return false
end
