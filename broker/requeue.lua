-- Requeue failed jobs, as if they arrived now. Their deadlines stay.
--
-- ARGV: the four common arguments, then ids. Returns a letter per id:
-- - Q: it waits again
-- - N: it is not among the failed jobs
-- - G: it is gone
-- - X: it is no job of ours
-- - A: it was applied
-- - L: it is too late.
--
-- One atomic step does it all, so that every job is always on a list. `take` lets it hold its
-- player, once the player is free.

local function requeue(id)
  if not call('ZSCORE', FAILED, id) then return 'N' end
  local status, data, batch, times, since =
    fields_of(id, 'status', 'data', 'batch', 'times', 'queued_ms')
  if not (status and data) then return 'G' end
  if not times then return 'X' end
  if batch == DONE then return 'A' end
  if not is_open(status, data) then return 'G' end
  if not is_in_time(times) then return 'L' end
  if (tonumber(since or nil) or 0) > NOW_MS then return 'L' end  -- the clock was set back since

  call('ZREM', FAILED, id)
  call('HDEL', job_key(id), 'exc_info')
  call('PERSIST', job_key(id))
  call('HSET', job_key(id), 'status', 'queued', 'enqueued_at', ISO, 'queued_ms', NOW_MS)
  call('RPUSH', QUEUED, id)
  return 'Q'
end

local letters = {}
for i = 5, #ARGV do letters[#letters + 1] = requeue(ARGV[i]) end
return letters
