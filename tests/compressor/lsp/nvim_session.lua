-- What a user does in Neovim: open a file, look, edit, look again, hover. Writes what was seen.
local snippet, file, seen = unpack(vim.split(vim.env.CODEWREN_TEST, "\n"))
local PATIENCE = 60000

local function messages()
  local all = {}
  for _, d in ipairs(vim.diagnostic.get(0)) do
    table.insert(all, { lnum = d.lnum, col = d.col, end_col = d.end_col, message = d.message, source = d.source })
  end
  table.sort(all, function(a, b) return a.lnum < b.lnum end)
  return all
end

vim.cmd("filetype on")
dofile(snippet)
vim.cmd("edit " .. vim.fn.fnameescape(file))
vim.wait(PATIENCE, function() return #vim.diagnostic.get(0) > 0 end)
local first = messages()

vim.api.nvim_buf_set_text(0, 2, 4, 2, 16, { "char *😋 = gets(a);", "    return exec(b, 😋);" })
vim.wait(PATIENCE, function()
  local now = messages()
  return #now == #first and now[1].message ~= first[1].message
end)
local second = messages()

vim.api.nvim_win_set_cursor(0, { 3, 5 })
local answers = vim.lsp.buf_request_sync(0, "textDocument/hover", vim.lsp.util.make_position_params(), PATIENCE)
local hover
for _, answer in pairs(answers or {}) do hover = answer.result end

vim.fn.writefile({ vim.json.encode({ first = first, second = second, hover = hover }) }, seen)
vim.cmd("qall!")
