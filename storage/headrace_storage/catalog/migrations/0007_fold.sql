-- Room in each page for the next version of its rows: the fold then changes no index. Half of the time.
ALTER TABLE summaries SET (fillfactor = 50);
