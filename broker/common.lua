-- Start of every script: keys, and what all scripts ask. Read this file first, then groups, admit,
-- taking, ending and finish: they are the way of a command. The clock and the sweep mend what went
-- wrong. docs/adr/0022 has a table of the keys, and what can fail. broker/scripts.py says which of
-- these files a script is made of.
--
-- A group is an RQ job. It carries the commands that one gateway admitted in one script, and it
-- holds their players. A command whose player is held waits in a list of its player's. When a group
-- ends, its players are free, and the commands that waited for them become the next group.
--
-- IN_FLIGHT is a hash with two kinds of fields:
-- - account: the group that holds the player, and a '+' if commands wait for it
-- - provider:bet: the commands about the bet that may still be applied, each as `times:id`.
--
-- `times` is `since+budget`: when the command was admitted, and how many ms later is too late. The
-- id of a command is `account-token`. The job of a single command has the same id.
--
-- ARGV of every script begins with four common arguments: prefix of RQ's keys, prefix of our keys,
-- queue name, ISO time of now.

local RQ, OURS, QUEUE, ISO = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local QUEUED = RQ .. ':queue:' .. QUEUE
local INTERMEDIATE = QUEUED .. ':intermediate'
local STARTED = RQ .. ':wip:' .. QUEUE
local FINISHED = RQ .. ':finished:' .. QUEUE
local FAILED = RQ .. ':failed:' .. QUEUE
-- Ahead of the queue: returned jobs, and groups of small providers. Only a take removes them.
local RETURNED = OURS .. ':returned:' .. QUEUE
local IN_FLIGHT = OURS .. ':in_flight'
local IDLE = OURS .. ':idle:' .. QUEUE  -- the offers of workers that wait for a group
local PARKED = OURS .. ':parked'  -- requeued jobs whose player is held; the sweep returns them
local LEASES = OURS .. ':leases'  -- batch -> when its worker loses it, in ms
local MEMORY = OURS .. ':memory'  -- which Redis this is, since when it remembers, its birth (ms)
local WORKER_TTL = 30  -- seconds; as the heartbeat's: a killed worker expires
local DONE = 'done'  -- replaces the batch's name in a job that was applied
local call = redis.call

local time = call('TIME')
local NOW_MS = time[1] * 1000 + math.floor(time[2] / 1000)
local NOW_S = tonumber(time[1])

local function job_key(id) return RQ .. ':job:' .. id end
local function doubt_key(bet) return OURS .. ':doubt:' .. bet end
local function waiting_key(account) return OURS .. ':waiting:' .. account end
local function execution_key(id, batch) return RQ .. ':execution:' .. id .. ':' .. batch end

-- What a command answers, or nil: a planted key of another type must not end the script here.
local function answer(...)
  local said = redis.pcall(...)
  if type(said) ~= 'table' or not said.err then return said end
end

-- Write to a key. A key of another type was planted there, and makes room.
local function write(command, key, ...)
  local said = redis.pcall(command, key, ...)
  if type(said) ~= 'table' or not said.err then return said end
  if string.find(said.err, 'WRONGTYPE', 1, true) then call('EXPIRE', key, 0) end
  return call(command, key, ...)
end

-- No worker can read an answer that contains another kind of id. Such an id was planted.
local ID_MAX = 128  -- bytes
local function is_readable(id)
  return #id > 0 and #id <= ID_MAX and not string.find(id, '[^\33-\126]')
end

-- Fields of a job's hash. There are none if a key of another type was planted in its place.
local function fields_of(id, ...)
  local found = redis.pcall('HMGET', job_key(id), ...)
  if not found.err then return unpack(found) end
end

-- The words of a text, such as the accounts of a group.
local function words(text)
  local found = {}
  for word in string.gmatch(text or '', '%S+') do found[#found + 1] = word end
  return found
end

-- The notes of a bet that remain without those for which `ends(id, note)` is true.
local function notes_without(notes, ends)
  local left = {}
  for _, note in ipairs(words(notes)) do
    if not ends(string.match(note, ':(.*)$') or '', note) then left[#left + 1] = note end
  end
  return table.concat(left, ' ')
end

-- Whether at least one of the commands with these times can still be applied.
local function is_in_time(times)
  for since, budget in string.gmatch(times, '(%d+)%+(%d+)') do
    if since + budget > NOW_MS then return true end
  end
  return false
end

-- A worker of stock RQ on our queue also writes statuses: `started`, then `failed`. So the status
-- does not decide. A group is open until one of our scripts has ended it.
local function is_open(status, data, batch)
  return data and status and status ~= 'canceled' and status ~= 'stopped' and batch ~= DONE
end
