-- Admit the requests of one event-loop tick. Each is admitted with nonce, lane, job and queue, or
-- not at all.
--
-- ARGV: the four common arguments, timeout, result ttl and failure ttl (s), the longest wait (ms),
-- and the number of jobs on the queue that stops admission. Then 11 per request:
-- - nonce key, signature (32 bytes), token (32 characters), stamp (ms), nonce expiry (ms),
-- - account ('' claims the nonce only), description, data,
-- - budget (ms until the deadline), flight key (lists the jobs about the same bet, or ''),
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

local TIMEOUT, RESULT_TTL, FAILURE_TTL = ARGV[5], ARGV[6], ARGV[7]
local WAIT_MAX_MS, JOBS_MAX = tonumber(ARGV[8]), tonumber(ARGV[9])

-- How long the first job on a list has waited, in thousandths of the longest wait: at most 1000.
-- Gateways derive from it the share that they refuse. Only the wait on the list counts, and not the
-- wait behind other jobs of a player. Otherwise one busy player would keep everybody else out. A
-- job without that time, such as a foreign one, has not waited.
local function waited(list)
  local first = call('LINDEX', list, 0)
  if not first then return 0 end
  local since = tonumber(call('HGET', job_key(first), 'queued_ms') or nil) or NOW_MS
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
  if queued + call('LLEN', RETURNED) + call('ZCARD', DEFERRED) >= JOBS_MAX then
    crowded, crowded_ahead = 1000, 1000
  else
    crowded, crowded_ahead = waited(QUEUED), waited(RETURNED)
  end
end

local letters, heads, heads_ahead = {}, {}, {}
for i = 10, #ARGV, 11 do
  local nonce, signature, token, stamp, expires, account, description, data, budget, flight, ahead =
    unpack(ARGV, i, i + 10)
  local letter = 'A'
  if tonumber(stamp) < since or tonumber(expires) <= NOW_MS then letter = 'F'
  elseif account == '' then letter = 'C'
  elseif suspended then letter = 'S'
  elseif (ahead == '1' and crowded_ahead or crowded) == 1000 then letter = 'O' end

  local mine = signature .. token .. letter
  local old = call('SET', nonce, mine, 'NX', 'GET', 'PXAT', expires)
  if old then
    if string.sub(old, 33, 64) == token then letter = string.sub(old, 65)
    elseif string.sub(old, 1, 32) == signature then letter = 'D'
    else letter = 'R' end
  elseif letter == 'A' then
    local id = account .. '-' .. token
    local lane = OURS .. ':lane:' .. account
    local status = 'queued'
    if call('RPUSH', lane, id) > 1 then
      status = 'deferred'
      call('ZADD', DEFERRED, NOW_S, id)
    else
      call('SADD', LANES, lane)
      local to = ahead == '1' and heads_ahead or heads
      to[#to + 1] = id
    end
    if flight ~= '' then
      call('ZADD', flight, NOW_MS + budget, id)
      call('EXPIRE', flight, FLIGHT_TTL)
    end
    call('HSET', job_key(id), 'created_at', ISO, 'enqueued_at', ISO, 'status', status,
      'queued_ms', NOW_MS,
      'data', data, 'description', description, 'origin', QUEUE, 'timeout', TIMEOUT,
      'result_ttl', RESULT_TTL, 'failure_ttl', FAILURE_TTL, 'deadline', NOW_MS + budget,
      'flight', flight,
      'started_at', '', 'ended_at', '', 'last_heartbeat', '', 'worker_name', '', 'group_id', '',
      'success_callback_name', '', 'failure_callback_name', '', 'stopped_callback_name', '')
  end
  letters[#letters + 1] = letter
end
-- An idle worker waits for a job on the queue alone. While there is one, some worker takes soon,
-- and it takes what goes ahead first.
if #heads_ahead > 0 and queued > 0 then
  call('RPUSH', RETURNED, unpack(heads_ahead))
else
  for _, id in ipairs(heads_ahead) do heads[#heads + 1] = id end
end
if #heads > 0 then
  call('SADD', RQ .. ':queues', QUEUED)
  call('RPUSH', QUEUED, unpack(heads))
end
return {letters, crowded}
