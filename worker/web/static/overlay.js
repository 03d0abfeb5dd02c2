// Sliders that set how strongly a map covers its picture.
document.documentElement.classList.add("scripted");
document.addEventListener("input", (event) => {
  const map = event.target.closest(".overlay label") && event.target.closest(".overlay").querySelector(".map");
  if (map) map.style.opacity = event.target.value / 100;
});
