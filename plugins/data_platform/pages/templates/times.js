// Writes the page's moments in the reader's zone, and keeps "3 min ago" true. Without it they are there in UTC.
(() => {
  const UNITS = {{ units | tojson }};
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const digits = { hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const format = new Intl.DateTimeFormat("en", { ...digits, timeZoneName: "short" });
  const parts = (at) => Object.fromEntries(format.formatToParts(at).map((part) => [part.type, part.value]));
  const day = (p) => `${p.year}-${p.month}-${p.day}`;
  // By the server's clock, whatever the reader's says.
  const loaded = performance.now(), made = Date.parse(document.documentElement.dataset.now);
  const ago = (at) => {
    const seconds = (made + performance.now() - loaded - at) / 1000, away = Math.abs(seconds);
    for (const [unit, size, least] of UNITS) {
      if (away >= size * least) {
        const span = `${Math.floor(away / size)} ${unit}`;
        return seconds > 0 ? `${span} ago` : `in ${span}`;
      }
    }
    return "just now";
  };
  const write = () => {
    for (const element of document.querySelectorAll("time")) {
      const at = new Date(element.dateTime), p = parts(at);
      element.textContent = `${day(p)} ${p.hour}:${p.minute} (${ago(at)})`;
      element.title = `${day(p)} ${p.hour}:${p.minute}:${p.second} ${p.timeZoneName}`;
    }
  };
  // Hours of a grid: the head of a column, and what a cell says when one points at it.
  for (const element of document.querySelectorAll("[data-hour]")) {
    const p = parts(new Date(element.dataset.hour));
    element.textContent = p.minute === "00" ? p.hour : `${p.hour}\n:${p.minute}`;
    element.title = `${day(p)} ${p.hour}:${p.minute} ${p.timeZoneName}`;
  }
  for (const element of document.querySelectorAll("[data-from]")) {
    const p = parts(new Date(element.dataset.from));
    element.title = `${day(p)} ${p.hour}:${p.minute} ${p.timeZoneName}: ${element.dataset.says}`;
  }
  for (const element of document.querySelectorAll("[data-zone]")) element.textContent = zone;
  write();
  setInterval(write, 15000);
})();
