-- How groups end: their players are free, and what waited for them goes on.

-- A group is in hand while the batch that took it holds its lease.
local function is_held(batch)
  return batch and call('ZSCORE', LEASES, batch)
end

local function forget_failure(id, status)
  if status == 'failed' then
    call('ZREM', FAILED, id)
    call('HDEL', job_key(id), 'exc_info')
  end
end

-- The command of such a text, or nil if the text was planted.
local function waited_for(text)
  local times, account, token, of_call, description, payload =
    string.match(text, '^(%d+%+%d+)\n(%d+)\n(%x+)\n([^\n]*)\n([^\n]*)\n([^\n]+)$')
  return times and {times = times, account = account, token = token, call = of_call,
    description = description, payload = payload}
end

-- Nobody knows any more what was in flight, so Redis remembers only from now on.
local function forget_in_flight()
  call('DEL', IN_FLIGHT)
  call('HSET', MEMORY, 'since', NOW_MS)
end

-- What is in flight, by field. A key of another type was planted there.
local function in_flight_of(fields)
  local found = answer('HMGET', IN_FLIGHT, unpack(fields))
  if not found then forget_in_flight() end
  return found or {}
end

-- Make the next group of what waits for these players, and let it hold them. Players for whom
-- nothing waits are free.
local GROUP_MAX = 32  -- commands, unless more players wait
local function next_group(accounts, list)
  local commands, more, locks, free = {}, {}, {}, {}
  for place, account in ipairs(accounts) do
    local room = math.max(1, GROUP_MAX - #commands - (#accounts - place))
    local before = #commands
    for _, text in ipairs(answer('LRANGE', waiting_key(account), 0, room - 1) or {}) do
      local command = waited_for(text)
      if command and command.account == account then commands[#commands + 1] = command end
    end
    if (answer('LLEN', waiting_key(account)) or 0) > room then
      call('LTRIM', waiting_key(account), room, -1)
      call('EXPIRE', waiting_key(account), WAITING_TTL)
      more[account] = true
    else
      call('DEL', waiting_key(account))
    end
    if #commands > before or more[account] then
      locks[#locks + 1] = account
    else
      free[#free + 1] = account
    end
  end
  if #free > 0 then call('HDEL', IN_FLIGHT, unpack(free)) end
  if #locks == 0 then return end
  local id = ''  -- the sweep mends it
  if #commands > 0 then
    local group = group_of(commands)
    queue_group(group, list or QUEUED)
    id = group.id
  end
  local fields = {}
  for _, account in ipairs(locks) do
    fields[#fields + 1] = account
    fields[#fields + 1] = id .. (more[account] and '+' or '')
  end
  call('HSET', IN_FLIGHT, unpack(fields))
end

-- Nobody knows how these commands ended: a transaction may still apply them. Whoever asks about the
-- bet finds their notes in a key of its own, so that IN_FLIGHT has only what is in flight.
local DOUBT_TTL = 24 * 3600  -- seconds
local function doubt(bet, notes)
  local earlier = answer('GET', doubt_key(bet))
  call('SET', doubt_key(bet), (earlier and earlier .. ' ' or '') .. notes, 'EX', DOUBT_TTL)
end

-- Free the players whom groups hold. `accounts` and `groups` are lists of the same length, and
-- `held` is what IN_FLIGHT says of each account. What waited for them goes on, on `list`, even if
-- IN_FLIGHT was lost. `landed` are other fields of IN_FLIGHT to remove.
local function free_players(accounts, groups, held, list, landed)
  local free, waited, seen = landed or {}, {}, {}
  for place, account in ipairs(accounts) do
    local holder, group = held[place], groups[place]
    -- Another job of the batch may hold the player, if this one was too late to do so.
    if not seen[account] and (not holder or holder == group or holder == group .. '+') then
      seen[account] = true
      if holder == group then free[#free + 1] = account else waited[#waited + 1] = account end
    end
  end
  if #free > 0 then call('HDEL', IN_FLIGHT, unpack(free)) end
  if #waited > 0 then next_group(waited, list) end
end
