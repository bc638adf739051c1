-- What wrk asks for: wrk … URL -- KIND MARK IDS
-- KIND: contact, list, activity, bare_activity or batch. MARK: what references begin with.
-- IDS: a file with the id of a contact on each line.

local kind, mark
local ids, bodies = {}, {}
local number = 0
local MOST = 20

local function activity(id, reference)
  local moment = kind == "bare_activity" and "happened_at" or "happenedAt"
  local currency = kind == "bare_activity" and "currency_code" or "currencyCode"
  local named = kind == "bare_activity" and "external_reference" or "externalReference"
  return string.format(
    '{"contact":%s,"type":"Purchase","source":"%s","%s":"2026-11-01T12:30:00+00:00",' ..
    '"spend":4500,"%s":"GBP","%s":"%s"}', id, mark, moment, currency, named, reference)
end

local function any()
  return ids[math.random(#ids)]
end

function init(args)
  kind, mark = args[1], args[2]
  math.randomseed(tonumber(mark, 16))
  for line in io.lines(args[3]) do
    ids[#ids + 1] = line
  end
  wrk.headers["Content-Type"] = "application/json"
  -- A thousand rows take longer to write down than to send: only their references are new.
  for place = 1, kind == "batch" and MOST or 0 do
    local rows = {}
    for row = 1, 1000 do
      rows[row] = activity(any(), "@-" .. row)
    end
    bodies[place] = '{"activities":[' .. table.concat(rows, ",") .. "]}"
  end
end

function request()
  number = number + 1
  if kind == "contact" then
    return wrk.format("GET", "/api/contacts/" .. any())
  elseif kind == "list" then
    return wrk.format("GET", "/api/contacts?itemsPerPage=50")
  elseif kind == "batch" then
    local body = bodies[number % MOST + 1]:gsub("@", mark .. "-" .. number)
    return wrk.format("POST", "/api/activities/batch", nil, body)
  end
  return wrk.format("POST", "/api/activities", nil, activity(any(), mark .. "-" .. number))
end

function done(summary, latency)
  local wrong = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"wrong":%d,"mean":%f}\n',
    summary.requests, summary.duration / 1e6,
    wrong.connect + wrong.read + wrong.write + wrong.status + wrong.timeout,
    latency.mean / 1e6))
end
