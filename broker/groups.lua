-- How groups are made. For the scripts that have three more arguments of a job: timeout, result ttl
-- and failure ttl (s).

local TIMEOUT, RESULT_TTL, FAILURE_TTL = ARGV[5], ARGV[6], ARGV[7]

-- Let a job wait on a list: RQ's queue, or `list`.
local function enqueue(id, list)
  call('HSET', job_key(id), 'status', 'queued', 'enqueued_at', ISO, 'queued_ms', NOW_MS)
  call('RPUSH', list or QUEUED, id)
end

-- What a group of several commands does, in one line for people.
local function description_of(commands)
  local times, calls, parts = {}, {}, {}
  for _, command in ipairs(commands) do
    local of_call = command.call
    if not times[of_call] then calls[#calls + 1] = of_call end
    times[of_call] = (times[of_call] or 0) + 1
  end
  for place, of_call in ipairs(calls) do parts[place] = times[of_call] .. ' ' .. of_call end
  return #commands .. ' commands: ' .. table.concat(parts, ', ') .. '. First: '
    .. commands[1].description
end

-- The group of these commands, which is not written yet. Each command has: account, token, times,
-- call, description, payload.
local function group_of(commands)
  local first = commands[1]
  local id, description = first.account .. '-' .. first.token, first.description
  local accounts, times, payloads = {}, {}, {}
  if #commands > 1 then id, description = 'group-' .. first.token, description_of(commands) end
  for place, command in ipairs(commands) do
    accounts[place], times[place] = command.account, command.times
    payloads[place] = command.payload
  end
  return {id = id, description = description, accounts = table.concat(accounts, ' '),
    times = table.concat(times, ' '),
    data = '["bets.apply",null,[' .. table.concat(payloads, ',') .. '],{}]'}
end

-- Write the job of a new group, with more fields. The caller notes that it holds the players.
local function write_group(group, status, ...)
  write('HSET', job_key(group.id), 'created_at', ISO, 'enqueued_at', ISO, 'status', status,
    'queued_ms', NOW_MS, 'data', group.data, 'description', group.description, 'origin', QUEUE,
    'timeout', TIMEOUT, 'result_ttl', RESULT_TTL, 'failure_ttl', FAILURE_TTL,
    'accounts', group.accounts, 'times', group.times, 'holds', '1', ...)
end

-- Let a new group wait on a list: RQ's queue, or one of ours.
local function queue_group(group, list)
  write_group(group, 'queued')
  call('RPUSH', list, group.id)
end

-- A command that waits for its player is one text.
local WAITING_TTL = 24 * 3600  -- seconds; a list that nobody reads any more
local function to_wait(command)
  return table.concat({command.times, command.account, command.token, command.call,
    command.description, command.payload}, '\n')
end
