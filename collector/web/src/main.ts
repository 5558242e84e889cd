import '@fontsource-variable/atkinson-hyperlegible-next/wght.css';
import { mount } from 'svelte';
import './styles/tokens.css';
import './styles/page.css';
import './styles/top.css';
import './styles/map.css';
import './styles/outages.css';
import './styles/table.css';
import './styles/sheet.css';
import App from './App.svelte';

const place = document.getElementById('page');
if (place) mount(App, { target: place });
