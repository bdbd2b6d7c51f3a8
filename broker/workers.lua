-- Who works on our queue. ARGV: the four common arguments.
--
-- Returns whether RQ is suspended (1 or 0), and a row per registered worker. A row has name, host,
-- pid, version of RQ, state, birth, last heartbeat, and the mark that only our workers carry.
--
-- Anyone who can write to Redis can register any worker. So rows and texts are bounded.

local WORKERS_MAX, TEXT_MAX = 500, 100
local PREFIX = RQ .. ':worker:'

local rows = {}
for _, key in ipairs(call('SRANDMEMBER', RQ .. ':workers:' .. QUEUE, WORKERS_MAX)) do
  if string.sub(key, 1, #PREFIX) == PREFIX then
    local row = redis.pcall('HMGET', key, 'hostname', 'pid', 'version', 'state', 'birth',
      'last_heartbeat', 'betcore')
    if not row.err and row[5] then  -- otherwise its hash expired, or is only partly rewritten
      table.insert(row, 1, string.sub(key, #PREFIX + 1))
      for i = 1, 8 do row[i] = string.sub(row[i] or '', 1, TEXT_MAX) end
      rows[#rows + 1] = row
    end
  end
end
return {call('EXISTS', RQ .. ':suspended'), rows}
