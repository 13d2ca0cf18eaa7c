#ifndef T2T_SERVE_PAGE_H_
#define T2T_SERVE_PAGE_H_

namespace t2t {

// The page at "/": a sentence in, what the model makes of it out, and where it
// looked in the sentence for each symbol that it said.
inline constexpr char kPage[] = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>t2t-model-server</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem;
         margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
  label { display: block; margin-top: 1rem }
  textarea, input { font: inherit; width: 100%; box-sizing: border-box;
                    padding: .5rem; border: 1px solid #888; border-radius: 4px }
  button { font: inherit; margin-top: 1rem; padding: .4rem 1.2rem }
  output { display: block; white-space: pre-wrap; margin-top: 1rem;
           padding: .5rem; min-height: 3rem; background: #f2f2f2;
           border-radius: 4px }
  .error { color: #a00 }
  small { color: #666 }
  figure { margin: 1.5rem 0; overflow-x: auto }
  figure label { display: inline-block; margin: 0 1rem .5rem 0 }
  table { border-collapse: collapse; font-size: .85rem }
  td { width: 1.6rem; height: 1.6rem; border: 1px solid #ddd; padding: 0 }
  th { font-weight: normal; padding: 0 .4rem; white-space: pre }
  thead th { writing-mode: vertical-rl; padding: .4rem 0; text-align: right }
  tbody th { text-align: right }
</style>
<h1>Try a sentence</h1>
<form>
  <label>Text, one sentence a line
    <textarea name="text" rows="4" autofocus></textarea></label>
  <label>Token <small>(only where the server asks for one)</small>
    <input name="token" type="password" autocomplete="off"></label>
  <button>Translate</button>
</form>
<output aria-live="polite"></output>
<small id="time"></small>
<figure hidden>
  <figcaption>Where the model looked in the first sentence (columns) for each
    symbol it said (rows); darker is more.</figcaption>
  <label>Layer <select id="layer"></select></label>
  <label>Head <select id="head"></select></label>
  <table><thead></thead><tbody></tbody></table>
</figure>
<script>
  const form = document.querySelector("form");
  const output = document.querySelector("output");
  const time = document.getElementById("time");
  const figure = document.querySelector("figure");
  const layer = document.getElementById("layer");
  const head = document.getElementById("head");
  let seen = null;

  function choices(select, count) {
    const names = ["mean", ...Array.from({length: count}, (_, i) => i + 1)];
    select.replaceChildren(...names.map((n) => new Option(n, n)));
  }

  // The chosen layers' and heads' mean weight.
  function weight(row, column) {
    const pick = (list, choice) =>
        choice === "mean" ? list : [list[choice - 1]];
    let sum = 0, count = 0;
    for (const heads of pick(seen.attention, layer.value)) {
      for (const rows of pick(heads, head.value)) {
        sum += rows[row][column];
        ++count;
      }
    }
    return sum / count;
  }

  function cell(tag, text) {
    const element = document.createElement(tag);
    element.textContent = text;
    return element;
  }

  function draw() {
    const top = document.createElement("tr");
    top.append(cell("th", ""), ...seen.inputs.map((s) => cell("th", s)));
    figure.querySelector("thead").replaceChildren(top);
    figure.querySelector("tbody").replaceChildren(
        ...seen.outputs.map((symbol, i) => {
          const row = document.createElement("tr");
          row.append(cell("th", symbol), ...seen.inputs.map((_, j) => {
            const value = weight(i, j);
            const square = cell("td", "");
            square.style.background = `rgba(20, 70, 160, ${value})`;
            square.title = `${symbol} \u2190 ${seen.inputs[j]}: ` +
                value.toFixed(3);
            return square;
          }));
          return row;
        }));
  }
  layer.addEventListener("change", draw);
  head.addEventListener("change", draw);

  // A model without attention, or a long sentence: there is nothing to show.
  async function look(headers, text) {
    const sentence = text.split("\n").find((line) => line.trim());
    if (!sentence) return;
    const reply = await fetch("attention",
        {method: "POST", headers, body: sentence});
    if (!reply.ok) return;
    seen = await reply.json();
    choices(layer, seen.attention.length);
    choices(head, seen.attention[0].length);
    draw();
    figure.hidden = false;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const headers = {"Content-Type": "text/plain; charset=utf-8"};
    if (form.token.value) headers.Authorization = "Bearer " + form.token.value;
    const start = performance.now();
    output.className = "";
    output.textContent = "...";
    time.textContent = "";
    figure.hidden = true;
    try {
      const reply = await fetch("translate",
          {method: "POST", headers, body: form.text.value});
      const text = await reply.text();
      output.className = reply.ok ? "" : "error";
      output.textContent = reply.ok ? text : JSON.parse(text).error;
      const refused = reply.headers.get("X-T2T-Error");
      if (reply.ok && refused) output.textContent += "\n(" + refused + ")";
      time.textContent = Math.round(performance.now() - start) + " ms";
      if (reply.ok) await look(headers, form.text.value);
    } catch (error) {
      output.className = "error";
      output.textContent = "The server does not answer.";
    }
  });
</script>
</html>
)html";

}  // namespace t2t

#endif  // T2T_SERVE_PAGE_H_
