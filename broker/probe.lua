-- Test whether this user may run the commands of our scripts. ARGV: the four common arguments, then
-- the commands.
--
-- Returns {} when all are allowed. Otherwise it returns the first refusal: command, key, Redis's
-- words.
--
-- It leaves nothing behind. It makes a key of type string for a moment. Every other command that
-- would write fails on that type. But Redis checks the type only after it has allowed the command.

local ARGUMENTS = {
  DEL = {}, EXISTS = {}, EXPIRE = {'1'}, GET = {},
  HDEL = {'f'}, HEXISTS = {'f'}, HGET = {'f'}, HGETALL = {}, HINCRBY = {'f', '0'},
  HINCRBYFLOAT = {'f', '0'}, HLEN = {}, HMGET = {'f'}, HSCAN = {'0'},
  HSET = {'f', 'v'}, LINDEX = {'0'},
  LLEN = {}, LMPOP = {'LEFT'}, LPUSH = {'m'}, LRANGE = {'0', '0'}, LREM = {'1', 'm'},
  LSET = {'0', 'm'}, LTRIM = {'0', '0'}, PUBLISH = {''}, RPOP = {}, RPUSH = {'m'},
  SADD = {'m'}, SMEMBERS = {},
  SRANDMEMBER = {'1'}, SREM = {'m'}, XADD = {'*', 'f', 'v'}, ZADD = {'0', 'm'},
  ZRANGE = {'0', '0'}, ZRANGEBYSCORE = {'0', '0'}, ZREM = {'m'},
  ZREMRANGEBYSCORE = {'0', '0'}, ZSCORE = {'m'},
}

local function try(command, key)
  if command == 'XREAD' then return redis.pcall('XREAD', 'COUNT', '1', 'STREAMS', key, '0') end
  local arguments = {unpack(ARGUMENTS[command])}
  if command == 'PUBLISH' and string.sub(key, 1, #OURS) ~= OURS then return {} end
  if command == 'LMPOP' then return redis.pcall(command, '1', key, unpack(arguments)) end
  return redis.pcall(command, key, unpack(arguments))
end

-- Other errors, such as those of a full server, pass and say nothing about rights. The second
-- wording is that of Redis 7.0.
local function is_forbidden(answer)
  return type(answer) == 'table' and answer.err
    and (string.find(answer.err, 'ACL failure', 1, true)
      or string.find(answer.err, 'The user executing the script', 1, true))
end

for _, prefix in ipairs({OURS, RQ}) do
  local key = prefix .. ':probe:' .. QUEUE
  local made = redis.pcall('SET', key, '', 'PX', '1000')
  if is_forbidden(made) then return {'SET', key, made.err} end
  for i = 5, made.ok and #ARGV or 0 do
    local answer = try(ARGV[i], key)
    if is_forbidden(answer) then return {ARGV[i], key, answer.err} end
  end
end
return {}
