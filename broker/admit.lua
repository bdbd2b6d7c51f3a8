-- Admit the requests of one event-loop tick. Each is admitted whole, or not at all: its nonce, and
-- its place in a group or behind others of its player.
--
-- ARGV: the four common arguments, the three of a job, the longest wait (ms), and the number of
-- jobs on the queue that stops admission. Then 12 per request:
-- - nonce key, signature (32 bytes), token (32 characters), stamp (ms), nonce expiry (ms),
-- - account ('' claims the nonce only), call, description, payload,
-- - budget (ms until it is too late), the bet's field of IN_FLIGHT (or ''),
-- - '1' if it goes ahead of the queue: others make its provider wait. Otherwise ''.
--
-- Returns a letter per request, and how long the first job on the queue has waited, in thousandths
-- of the longest wait. The letters:
-- - A: admitted
-- - C: nonce claimed
-- - S: suspended
-- - O: overloaded
-- - F: stamped before Redis remembers
-- - D: the very same request again
-- - R: another request used its nonce.
--
-- The value of the nonce is signature, token, letter. A gateway sends a script again when the reply
-- was lost. The script then finds its own token and gives the same answer, with no second effect.

local WAIT_MAX_MS, JOBS_MAX = tonumber(ARGV[8]), tonumber(ARGV[9])

-- How long the first job on a list has waited, in thousandths of the longest wait: at most 1000.
-- Gateways derive from it the share that they refuse. Only the wait on the list counts, and not the
-- wait for a player. Otherwise one busy player would keep everybody else out. A job without that
-- time, such as a foreign one, has not waited.
local function waited(list)
  local first = call('LINDEX', list, 0)
  if not first then return 0 end
  local since = tonumber(fields_of(first, 'queued_ms') or nil) or NOW_MS
  return math.floor(math.max(0, math.min(1, (NOW_MS - since) / WAIT_MAX_MS)) * 1000)
end

local since, latest = unpack(call('HMGET', MEMORY, 'since', 'latest'))
since = note_time(latest) or tonumber(since or nil)
if not since then
  since = NOW_MS
  call('HSET', MEMORY, 'since', since, 'born', since)
end
local suspended = call('EXISTS', RQ .. ':suspended') == 1
local queued, crowded, crowded_ahead = call('LLEN', QUEUED), 0, 0
if queued > 0 then
  if queued + call('LLEN', RETURNED) >= JOBS_MAX then
    crowded, crowded_ahead = 1000, 1000
  else
    crowded, crowded_ahead = waited(QUEUED), waited(RETURNED)
  end
end

-- What is in flight, by field. It is read before anything is written.
local fields, in_flight = {}, {}
for i = 10, #ARGV, 12 do
  if ARGV[i + 5] ~= '' then
    fields[#fields + 1] = ARGV[i + 5]
    fields[#fields + 1] = ARGV[i + 10]
  end
end
if #fields > 0 then
  local found = redis.pcall('HMGET', IN_FLIGHT, unpack(fields))
  if found.err then return redis.error_reply('UNUSABLE ' .. found.err) end  -- the sweep mends it
  for place, value in ipairs(found) do in_flight[fields[place]] = value end
end

local letters, admitted = {}, {}
for i = 10, #ARGV, 12 do
  local nonce, signature, token, stamp, expires, account = unpack(ARGV, i, i + 5)
  local ahead = ARGV[i + 11] == '1'
  local letter = 'A'
  if tonumber(stamp) < since or tonumber(expires) <= NOW_MS then letter = 'F'
  elseif account == '' then letter = 'C'
  elseif suspended then letter = 'S'
  elseif (ahead and crowded_ahead or crowded) == 1000 then letter = 'O' end

  local old = call('SET', nonce, signature .. token .. letter, 'NX', 'GET', 'PXAT', expires)
  if old then
    if string.sub(old, 33, 64) == token then letter = string.sub(old, 65)
    elseif string.sub(old, 1, 32) == signature then letter = 'D'
    else letter = 'R' end
  elseif letter == 'A' then
    admitted[#admitted + 1] = {account = account, token = token, call = ARGV[i + 6],
      description = ARGV[i + 7], payload = ARGV[i + 8], bet = ARGV[i + 10],
      times = NOW_MS .. '+' .. ARGV[i + 9], ahead = ahead}
  end
  letters[#letters + 1] = letter
end
if #admitted == 0 then return {letters, crowded} end

local changed = {}
local function set(field, value)
  in_flight[field] = value
  changed[field] = true
end

-- A command joins the group of those that go ahead, or the other one, unless its player is held.
local HERE, HERE_AHEAD = '<', '>'  -- their ids are known once they are complete
local here, here_ahead = {}, {}
for _, command in ipairs(admitted) do
  local account, bet = command.account, command.bet
  local holder = in_flight[account]
  if not holder then
    holder = command.ahead and HERE_AHEAD or HERE
    set(account, holder)
  end
  if holder == HERE then here[#here + 1] = command
  elseif holder == HERE_AHEAD then here_ahead[#here_ahead + 1] = command
  else
    write('RPUSH', waiting_key(account), to_wait(command))
    if string.sub(holder, -1) ~= '+' then
      set(account, holder .. '+')
      call('EXPIRE', waiting_key(account), WAITING_TTL)
    end
  end
  if bet ~= '' then
    local note = command.times .. ':' .. account .. '-' .. command.token
    set(bet, in_flight[bet] and in_flight[bet] .. ' ' .. note or note)
  end
end

-- An idle worker gets the group at once. Otherwise some worker takes it soon, and takes what goes
-- ahead first.
local ids = {}
local function begin(commands, list)
  local group = group_of(commands)
  if not hand_over(group) then queue_group(group, list) end
  return group.id
end
if #here_ahead > 0 then ids[HERE_AHEAD] = begin(here_ahead, queued > 0 and RETURNED or QUEUED) end
if #here > 0 then ids[HERE] = begin(here, QUEUED) end
local values = {}
for field in pairs(changed) do
  values[#values + 1] = field
  values[#values + 1] = ids[in_flight[field]] or in_flight[field]
end
-- Nothing has changed if all of them wait, behind others, and none is about a bet.
if #values > 0 then call('HSET', IN_FLIGHT, unpack(values)) end
return {letters, crowded}
