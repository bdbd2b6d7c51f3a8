-- Which commands about a bet may still be applied. ARGV: the four common arguments, the bet's field
-- of IN_FLIGHT, then the ids of commands that can no longer be applied: they are forgotten.
--
-- Returns the time now (ms), since when Redis remembers (ms), and the notes of the commands that
-- are left: `times:id`, separated by spaces.

local FIELD = ARGV[5]

local forgotten = {}
for i = 6, #ARGV do forgotten[ARGV[i]] = true end

local since = tonumber(call('HGET', MEMORY, 'since') or nil) or NOW_MS
local notes, left = call('HGET', IN_FLIGHT, FIELD), {}
for _, note in ipairs(words(notes)) do
  if not forgotten[string.match(note, ':(.*)$') or ''] then left[#left + 1] = note end
end
local rest = table.concat(left, ' ')
if notes and rest == '' then call('HDEL', IN_FLIGHT, FIELD)
elseif notes and rest ~= notes then call('HSET', IN_FLIGHT, FIELD, rest) end
return {NOW_MS, since, rest}
