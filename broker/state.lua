-- The state of the queue. ARGV: the four common arguments.
--
-- Returns numbers:
-- - ms until a suspension ends (-1: never, -2: there is none),
-- - jobs queued, and requeued jobs whose player is held,
-- - commands that wait for their player,
-- - jobs started, finished, failed,
-- - commands in the queued jobs, of which at most 1,000 per list are looked at,
-- - how many ms the oldest job or command has waited (-1: none waits).

local oldest = -1
local function note_wait(since)
  since = tonumber(since or nil)
  if since then oldest = math.max(oldest, NOW_MS - since) end
end

-- `queued_ms` is the last time when a job was put on the queue. The wait of a job that a foreign
-- worker had taken began earlier.
for _, list in ipairs({RETURNED, QUEUED}) do
  local first = call('LINDEX', list, 0)
  if first then note_wait((fields_of(first, 'queued_ms'))) end
end

local commands = 0
for _, list in ipairs({RETURNED, QUEUED}) do
  for _, id in ipairs(call('LRANGE', list, 0, 999)) do
    commands = commands + #words((fields_of(id, 'accounts')))
  end
end

local waiting = 0
local in_flight = answer('HGETALL', IN_FLIGHT) or {}
for i = 1, #in_flight, 2 do
  local account, holder = in_flight[i], in_flight[i + 1]
  if string.sub(holder, -1) == '+' and not string.find(account, ':', 1, true) then
    waiting = waiting + (answer('LLEN', waiting_key(account)) or 0)
    note_wait(string.match(answer('LINDEX', waiting_key(account), 0) or '', '^%d+'))
  end
end
return {
  call('PTTL', RQ .. ':suspended'),
  call('LLEN', QUEUED) + call('LLEN', RETURNED) + (answer('SCARD', PARKED) or 0), waiting,
  call('ZCARD', STARTED), call('ZCOUNT', FINISHED, NOW_S, '+inf'),
  call('ZCOUNT', FAILED, NOW_S, '+inf'), commands, oldest,
}
