-- How a group is handed to an idle worker, which then need not take it. For `admit`.
--
-- An idle worker leaves an offer: its channel, the batch that it will run, the lease of that batch
-- (ms), how long RQ's registry shows the batch (s), and its name. It listens on the channel, and
-- nobody else does. So an offer of a worker that is gone reaches nobody, and the next one counts.

local OFFERS_MAX = 100  -- looked at; more were planted
local OFFER = '^(' .. OURS .. ':handed:%x+) (%x+) (%d+) (%d+) (.+)$'

-- Give the group to the worker that became idle last. Returns whether there was one.
local function hand_over(group)
  for _ = 1, OFFERS_MAX do
    local offer = answer('RPOP', IDLE)
    if not offer then return false end
    local channel, batch, lease_ms, started_ttl, worker = string.match(offer, OFFER)
    local message = table.concat({batch or '', group.id, group.accounts, group.times, group.data},
      '\n')
    if channel and call('PUBLISH', channel, message) > 0 then
      call('ZADD', LEASES, NOW_MS + lease_ms, batch)
      write_group(group, 'started', 'started_at', ISO, 'last_heartbeat', ISO,
        'worker_name', worker, 'batch', batch)
      call('ZADD', STARTED, NOW_S + started_ttl, group.id .. ':' .. batch)
      return true
    end
  end
  return false
end
