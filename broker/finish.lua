-- Finish a batch, if its lease is still held: replies, results, players, and the next batch.
--
-- ARGV: the four common arguments, the three of a job, then:
-- - worker name, worker key, batch, and the job that represents it in RQ,
-- - started at (s), time now (s), reply stream length,
-- - the next batch: its id, room (commands; 0: none), lease (ms), started-registry ttl (s), and the
--   offer that the worker leaves if nothing waits, or '',
-- - five counts, of what follows: replies, jobs, players, bets, failed commands.
-- - Per reply: stream, payload, ttl of the stream (s; below 0: it has one, unless Redis lost it).
-- - Per job: id, '1', its result in base64, how long it is kept (s). A job that failed has the
--   compressed text of its failure instead of '1', and the same in base64.
-- - Per player: account, the group that holds it.
-- - Per command about a bet: the bet's field of IN_FLIGHT, the command's id, '1' if the command
--   can certainly not be applied any more.
-- - Per command that failed alone: id, account, times, description, data of a job, text of its
--   failure, the same in base64, how long it is kept (s).
--
-- Returns 0 when the lease was lost. Then the script touches no job: another worker has them.
-- Otherwise it returns what `take_batch` returns, or 1 without a next batch.

local WORKER, WORKER_KEY, BATCH, SHOWN, STARTED_AT, ENDED_AT = unpack(ARGV, 8, 13)
local STREAM_LENGTH, NEXT, ROOM, LEASE_MS, STARTED_TTL, OFFER = unpack(ARGV, 14, 19)
local REPLIES, JOBS, PLAYERS, BETS, ALONE = 20, 21, 22, 23, 24  -- where the counts are
local position = 25

-- Call `handle` with the next arguments, `size` at a time, as often as argument `place` says.
local function each(place, size, handle)
  for _ = 1, tonumber(ARGV[place]) do
    handle(unpack(ARGV, position, position + size - 1))
    position = position + size
  end
end

-- The test and the first write are one command. A full Redis refuses a script whose first write
-- needs memory, and lets any other one go on.
if call('ZREM', LEASES, BATCH) == 0 then return 0 end

local function send_reply(stream, payload, ttl)
  -- If a key of another type was planted here, the batch must still finish.
  if tonumber(ttl) < 0 and redis.pcall(
    'XADD', stream, 'NOMKSTREAM', 'MAXLEN', '~', STREAM_LENGTH, '*', 'd', payload) then return end
  redis.pcall('XADD', stream, 'MAXLEN', '~', STREAM_LENGTH, '*', 'd', payload)
  redis.pcall('EXPIRE', stream, math.abs(ttl))
end

-- Record how a job ended as RQ does: `kind` 1 is a success, 2 a failure.
local function record(id, status, ttl, kind, name, value, ...)
  local results = RQ .. ':results:' .. id
  write('HSET', job_key(id), 'status', status, 'ended_at', ISO, 'last_heartbeat', ISO,
    'holds', '', ...)
  call('EXPIRE', job_key(id), ttl)
  write('XADD', results, 'MAXLEN', '~', 10, '*', 'type', kind, name, value,
    'worker_name', WORKER, 'execution_id', BATCH, 'execution_started_at', STARTED_AT,
    'execution_ended_at', ENDED_AT)
  call('EXPIRE', results, ttl)
end

-- `info` is the compressed text of the failure, `value` the same in base64.
local function fail(id, info, value, ttl)
  record(id, 'failed', ttl, '2', 'exc_string', value, 'exc_info', info)
  call('ZADD', FAILED, NOW_S + ttl, id)
end

local function end_batch()
  -- RQ shows the batch if it was renewed.
  if call('DEL', execution_key(SHOWN, BATCH)) == 1 then
    call('SREM', WORKER_KEY .. ':executions', SHOWN .. ':' .. BATCH)
  end
  each(REPLIES, 3, send_reply)

  local finished, started = {}, {}
  each(JOBS, 4, function(id, info, value, ttl)
    started[#started + 1] = id .. ':' .. BATCH
    if info ~= '1' then
      fail(id, info, value, ttl)
      return
    end
    record(id, 'finished', ttl, '1', 'return_value', value, 'batch', DONE)
    finished[#finished + 1] = NOW_S + ttl
    finished[#finished + 1] = id
  end)

  local accounts, groups, fields, commands, certain = {}, {}, {}, {}, {}
  each(PLAYERS, 2, function(account, group)
    accounts[#accounts + 1], groups[#groups + 1] = account, group
    fields[#fields + 1] = account
  end)
  each(BETS, 3, function(field, command, landed)
    fields[#fields + 1], commands[#commands + 1] = field, command
    certain[#commands] = landed == '1'
  end)
  each(ALONE, 8, function(id, account, times, description, data, info, value, ttl)
    write('HSET', job_key(id), 'created_at', ISO, 'enqueued_at', ISO, 'started_at', ISO,
      'queued_ms', NOW_MS, 'data', data, 'description', description, 'origin', QUEUE,
      'timeout', TIMEOUT, 'result_ttl', RESULT_TTL, 'failure_ttl', FAILURE_TTL,
      'accounts', account, 'times', times, 'batch', BATCH, 'worker_name', WORKER)
    fail(id, info, value, ttl)
  end)

  if #fields > 0 then
    local held = in_flight_of(fields)
    local landed, notes = {}, {}
    for place, command in ipairs(commands) do
      local bet = fields[#accounts + place]
      notes[bet] = notes_without(notes[bet] or held[#accounts + place] or '', function(id, note)
        if id ~= command then return false end
        if not certain[place] then doubt(bet, note) end
        return true
      end)
    end
    for bet, left in pairs(notes) do
      if left == '' then landed[#landed + 1] = bet else call('HSET', IN_FLIGHT, bet, left) end
    end
    free_players(accounts, groups, held, nil, landed)
  end

  if #finished > 0 then call('ZADD', FINISHED, unpack(finished)) end
  call('ZREM', STARTED, unpack(started))
end

-- If it fails half-way (a key of another type was planted), the batch has its lease again. If no
-- worker can end it then, the lease runs out, and the sweep returns what is open.
local ended, failure = pcall(end_batch)
if not ended then
  call('ZADD', LEASES, NOW_MS + LEASE_MS, BATCH)
  error(failure)
end

if tonumber(ROOM) == 0 then return 1 end
return take_batch({worker = WORKER, worker_key = WORKER_KEY, id = NEXT, room = tonumber(ROOM),
  lease_ms = LEASE_MS, started_ttl = STARTED_TTL, offer = OFFER})
