-- Which commands about a bet may still be applied. ARGV: the four common arguments, the bet's field
-- of IN_FLIGHT, then the ids of commands that can no longer be applied: they are forgotten.
--
-- Returns the time now (ms), since when Redis remembers (ms), and the notes of the commands that
-- are left: `times:id`, separated by spaces.

local BET = ARGV[5]

local forgotten = {}
for i = 6, #ARGV do forgotten[ARGV[i]] = true end
local function is_forgotten(id) return forgotten[id] end

local since = tonumber(call('HGET', MEMORY, 'since') or nil) or NOW_MS
local noted = answer('HGET', IN_FLIGHT, BET)
if noted == nil then since = NOW_MS end  -- a key of another type: nobody knows what is in flight
noted = noted or ''
local doubted = answer('GET', doubt_key(BET)) or ''
local left, doubts = notes_without(noted, is_forgotten), notes_without(doubted, is_forgotten)
if left == '' and noted ~= '' then call('HDEL', IN_FLIGHT, BET)
elseif left ~= noted then call('HSET', IN_FLIGHT, BET, left) end
if doubts == '' and doubted ~= '' then call('EXPIRE', doubt_key(BET), 0)
elseif doubts ~= doubted then call('SET', doubt_key(BET), doubts, 'KEEPTTL') end
return {NOW_MS, since, left .. ' ' .. doubts}
