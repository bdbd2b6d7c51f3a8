-- Which commands about bets may still be applied. ARGV: the four common arguments, the bets' fields
-- of IN_FLIGHT, one per line, then the ids of commands that can no longer be applied: they are
-- forgotten.
--
-- Returns the time now (ms), since when Redis remembers (ms), and for each bet the notes of the
-- commands that are left: `times:id`, separated by spaces.

local forgotten = {}
for i = 6, #ARGV do forgotten[ARGV[i]] = true end
local function is_forgotten(id) return forgotten[id] end

local since = tonumber(call('HGET', MEMORY, 'since') or nil) or NOW_MS
local said = {}
for bet in string.gmatch(ARGV[5], '[^\n]+') do
  local noted = answer('HGET', IN_FLIGHT, bet)
  if noted == nil then since = NOW_MS end  -- a key of another type: nobody knows what is in flight
  noted = noted or ''
  local doubted = answer('GET', doubt_key(bet)) or ''
  local left = notes_without(noted, is_forgotten)
  local doubts = notes_without(doubted, is_forgotten)
  if left == '' and noted ~= '' then call('HDEL', IN_FLIGHT, bet)
  elseif left ~= noted then call('HSET', IN_FLIGHT, bet, left) end
  if doubts == '' and doubted ~= '' then call('EXPIRE', doubt_key(bet), 0)
  elseif doubts ~= doubted then call('SET', doubt_key(bet), doubts, 'KEEPTTL') end
  said[#said + 1] = left .. ' ' .. doubts
end
return {NOW_MS, since, unpack(said)}
