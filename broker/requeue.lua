-- Requeue failed jobs, each at the end of its lane, as if it arrived now. Its deadline stays.
--
-- ARGV: the four common arguments, then ids. Returns a letter per id:
-- - Q: it waits again
-- - N: it is not among the failed jobs
-- - G: it is gone
-- - X: it is no job of ours
-- - A: it was applied
-- - L: it is too late.
--
-- One atomic step does it all, so that every job is always on a list.

local function requeue(id)
  if not call('ZSCORE', FAILED, id) then return 'N' end
  local lane = lane_of(id)
  if not lane then return 'X' end
  local status, data, batch, deadline, since =
    fields_of(id, 'status', 'data', 'batch', 'deadline', 'queued_ms')
  if not is_open(status, data) then return 'G' end
  if batch == DONE then return 'A' end
  if (tonumber(deadline or nil) or 0) <= NOW_MS then return 'L' end
  if (tonumber(since or nil) or 0) > NOW_MS then return 'L' end  -- the clock was set back since

  call('ZREM', FAILED, id)
  if call('LPOS', lane, id) then return 'Q' end  -- a foreign worker marked it as failed
  call('HDEL', job_key(id), 'exc_info')
  call('PERSIST', job_key(id))
  if call('RPUSH', lane, id) > 1 then
    defer(id)
  else
    call('SADD', LANES, lane)
    enqueue(id)
  end
  return 'Q'
end

local letters = {}
for i = 5, #ARGV do letters[#letters + 1] = requeue(ARGV[i]) end
return letters
