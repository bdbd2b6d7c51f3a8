-- Drives wrk: sends the requests of a file, each once and in order, and counts the answers.
--
-- The environment says what to send; `done` prints one line of JSON, which bench/wrk.py reads.
-- With one connection a thread, latencies are counted here: exactly, and in an open loop from the
-- moment at which a request should have been sent.
local ffi = require("ffi")
ffi.cdef([[
typedef struct { long seconds; long nanoseconds; } bench_time;
int clock_gettime(int clock, bench_time *time);
]])

local MONOTONIC = 1 -- as time.monotonic() in Python on Linux
local SEPARATOR = "\30"
local time = ffi.new("bench_time")

local function now() -- in microseconds
  ffi.C.clock_gettime(MONOTONIC, time)
  return tonumber(time.seconds) * 1e6 + tonumber(time.nanoseconds) / 1e3
end

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

-- What a thread counts; global, because `done` reads it through `thread:get`.
sent, good, first, last = 0, 0, 0, 0
bad = {} -- status and code -> how many answers
latencies = {} -- tens of microseconds -> how many answers
answer = "" -- one of the bad ones

local text, position, verified
local exact, interval, start, intended

function init()
  local file = assert(io.open(os.getenv("BENCH_REQUESTS") .. "." .. number, "rb"))
  text, position = file:read("*a"), 1
  file:close()
  verified = number ~= 0
  exact = os.getenv("BENCH_EXACT") == "1"
  local rate = tonumber(os.getenv("BENCH_RATE"))
  if rate then
    local share = tonumber(os.getenv("BENCH_THREADS"))
    interval = share * 1e6 / rate
    start = tonumber(os.getenv("BENCH_START")) * 1e6 + number * interval / share
    delay = next_delay
  end
end

-- Milliseconds until the next request of this thread's own schedule, however late it is.
function next_delay()
  return math.max(0, math.floor((start + sent * interval - now()) / 1000))
end

function request()
  local ends = text:find(SEPARATOR, position, true)
  if not ends then
    return "" -- nothing is sent, and the connection stays silent
  end
  local found = text:sub(position, ends - 1)
  if not verified then -- wrk looks at one request of the first thread, and does not send it
    verified = true
    return found
  end
  position = ends + 1
  local moment = now()
  if first == 0 then
    first = moment
  end
  -- Timers count whole milliseconds: a request may leave a little before its time.
  intended = interval and math.min(moment, start + sent * interval) or moment
  sent = sent + 1
  return found
end

function response(status, _, body)
  last = now()
  local code = body:match('"_responseCode": ?(%d+)')
  if status == 200 and code == "1" and body:find('"balance":%d') then
    good = good + 1
  else
    local kind = status .. " " .. (code or "none")
    bad[kind] = (bad[kind] or 0) + 1
    answer = body:sub(1, 200)
  end
  if exact then
    local bucket = math.floor((last - intended) / 10)
    latencies[bucket] = (latencies[bucket] or 0) + 1
  end
end

local function json(counts)
  local parts = {}
  for key, count in pairs(counts) do
    table.insert(parts, string.format('"%s":%d', key, count))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function add(total, counts)
  for key, count in pairs(counts) do
    total[key] = (total[key] or 0) + count
  end
end

function done(summary, latency)
  local sent_by, answered, from, to, all_bad, histogram = {}, 0, math.huge, 0, {}, {}
  for _, thread in ipairs(threads) do
    table.insert(sent_by, thread:get("sent"))
    answered = answered + thread:get("good")
    if thread:get("first") > 0 then
      from = math.min(from, thread:get("first"))
    end
    to = math.max(to, thread:get("last"))
    add(all_bad, thread:get("bad"))
    add(histogram, thread:get("latencies"))
    if thread:get("answer") ~= "" then
      io.stderr:write(thread:get("answer"), "\n")
    end
  end
  local errors = summary.errors
  io.write(string.format(
    '{"sent":[%s],"good":%d,"bad":%s,"seconds":%.6f,"sockets":%d,"latencies":%s,' ..
      '"p50":%d,"p90":%d,"p99":%d,"max":%d}\n',
    table.concat(sent_by, ","), answered, json(all_bad), math.max(0, to - from) / 1e6,
    errors.connect + errors.read + errors.write + errors.timeout, json(histogram),
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max
  ))
end
