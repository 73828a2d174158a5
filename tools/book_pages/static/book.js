// From a folder on disk a browser may not fetch other pages for the summaries of the
// search results; the results themselves need no fetching.
if (window.location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
