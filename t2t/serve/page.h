#ifndef T2T_SERVE_PAGE_H_
#define T2T_SERVE_PAGE_H_

namespace t2t {

// The page at "/": a sentence in, what the model makes of it out.
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
<script>
  const form = document.querySelector("form");
  const output = document.querySelector("output");
  const time = document.getElementById("time");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const headers = {"Content-Type": "text/plain; charset=utf-8"};
    if (form.token.value) headers.Authorization = "Bearer " + form.token.value;
    const start = performance.now();
    output.className = "";
    output.textContent = "...";
    time.textContent = "";
    try {
      const reply = await fetch("translate",
          {method: "POST", headers, body: form.text.value});
      const text = await reply.text();
      output.className = reply.ok ? "" : "error";
      output.textContent = reply.ok ? text : JSON.parse(text).error;
      time.textContent = Math.round(performance.now() - start) + " ms";
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
