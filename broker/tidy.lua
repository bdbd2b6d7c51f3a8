-- Show applied jobs as finished again. A worker of stock RQ had taken them before they came back,
-- and marked them as failed later. ARGV: the four common arguments. Returns how many it changed.

local LOOKED_AT_MAX = 200  -- the most recent failures

local mended = 0
for _, id in ipairs(call('ZRANGE', FAILED, 0, LOOKED_AT_MAX - 1, 'REV')) do
  local batch, ttl = fields_of(id, 'batch', 'result_ttl')
  if batch == DONE then
    call('ZREM', FAILED, id)
    call('HDEL', job_key(id), 'exc_info')
    call('HSET', job_key(id), 'status', 'finished')
    call('EXPIRE', job_key(id), tonumber(ttl or nil) or 0)
    mended = mended + 1
  end
end
return mended
